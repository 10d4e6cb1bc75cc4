"""Our nodes in chaiNNer's window, whose own code reads their types: one wrong type hides all nodes."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest

from .backend import Backend
from .frontend import Answer, Frontend, Question
from .graphs import Json

MODEL_2X = 'PyTorchModel { arch: "AetherNet", scale: 2, inputChannels: 3, outputChannels: 3 }'
IMAGE = "Image { width: 30, height: 20, channels: 3 }"
EXPORT, BUILD = "aethernet:export_onnx", "aethernet:build_engine"


def test_window_takes_all_nodes(backend: Backend, frontend: Frontend) -> None:
    assert frontend.errors(backend.description) == []


def unknown_type(export: Json) -> None:
    export["outputs"][0]["type"] = "OnnxNetwork"


def unknown_field(export: Json) -> None:
    export["outputs"][0]["type"] = 'OnnxModel { precision: "int8" }'


def second_definition(export: Json) -> None:
    export["inputs"][0]["typeDefinitions"] = "struct OnnxModel;"


def unknown_choice(export: Json) -> None:
    condition = {"kind": "enum", "enum": 1, "values": ["fp7"]}
    group = {"id": 99, "kind": "conditional", "options": {"condition": condition}, "items": [0]}
    export["groupLayout"] = [group, *export["groupLayout"][1:]]


@pytest.mark.parametrize("damage", [unknown_type, unknown_field, second_definition, unknown_choice])
def test_window_refuses_damaged_nodes(
    backend: Backend, frontend: Frontend, damage: Callable[[Json], None]
) -> None:
    description = deepcopy(backend.description)
    damage(next(node for node in description["nodes"] if node["schemaId"] == EXPORT))

    assert any(EXPORT in error for error in frontend.errors(description))


NARROWED = [
    (
        Question(EXPORT, {"Model": MODEL_2X}),
        "ONNX Model",
        'OnnxModel { arch: string, subType: "Generic", scaleHeight: 2, scaleWidth: 2, '
        "inputChannels: 3, outputChannels: 3 }",
    ),
    (
        Question("aethernet:calibrate", {"Model": MODEL_2X, "Image Sequence": "Image"}),
        "Calibrated Model",
        "scale: 2,",
    ),
    (Question(BUILD, {"Model": MODEL_2X}, {"Directory": "engines"}), "Engine", "scale: 2,"),
    (
        Question("aethernet:upscale_image", {"Image": IMAGE, "Engine": "AetherNetEngine { scale: 2 }"}),
        "Image",
        "Image { width: 60, height: 40, channels: 3 }",
    ),
]
SHOWN = [
    (Question(EXPORT, values={"Precision": "fp32-int8"}), {"Optimised For"}, set[str]()),
    (Question(EXPORT, values={"Precision": "fp16"}), set[str](), {"Optimised For"}),
    (Question(EXPORT, values={"Sizes": "published"}), set[str](), {"Height", "Largest Batch"}),
    (Question(EXPORT, values={"Sizes": "fixed"}), {"Height", "Width"}, {"Largest Batch"}),
    (Question(EXPORT, values={"Sizes": "custom"}), {"Largest Side", "Largest Batch"}, {"Height"}),
    (Question(BUILD, {"Model": MODEL_2X}), {"Precision"}, {"GPUs"}),
    (Question(BUILD, {"Model": "OnnxGenericModel"}), {"For GPUs"}, {"Precision", "Workspace"}),
    (Question(BUILD, values={"Runtime": "tensorrt"}), {"Workspace"}, {"For GPUs", "GPUs"}),
    (Question(BUILD, values={"For GPUs": "chosen"}), {"GPUs"}, set[str]()),
]
OTHER_ARCHITECTURE = Question(EXPORT, {"Model": 'PyTorchModel { arch: "ESRGAN" }'})


@pytest.fixture(scope="module")
def answer_to(backend: Backend, frontend: Frontend) -> Callable[[Question], Answer]:
    """What the window answers to all questions of this module, asked at once."""
    asked = [*(question for question, *_ in (*NARROWED, *SHOWN)), OTHER_ARCHITECTURE]
    answers = frontend.answers(backend.description, *asked)
    return lambda question: answers[asked.index(question)]


@pytest.mark.parametrize(("question", "output", "expected"), NARROWED)
def test_types_are_narrowed(
    answer_to: Callable[[Question], Answer], question: Question, output: str, expected: str
) -> None:
    answer = answer_to(question)

    assert answer.problem is None
    assert expected in answer.outputs[output]


def test_a_model_of_another_architecture_cannot_be_connected(
    answer_to: Callable[[Question], Answer],
) -> None:
    answer = answer_to(OTHER_ARCHITECTURE)

    assert answer.problem is not None
    assert "AetherNet" in answer.problem


@pytest.mark.parametrize(("question", "shown", "hidden"), SHOWN)
def test_inputs_are_shown_where_they_matter(
    answer_to: Callable[[Question], Answer], question: Question, shown: set[str], hidden: set[str]
) -> None:
    answer = answer_to(question)

    assert shown <= answer.shown
    assert not hidden & answer.shown
