"""What nodes refuse, in a sentence that names their inputs as the window does."""

from __future__ import annotations

import ast
import importlib.util
import string
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ..artifacts import Artifacts
from .backend import REPOSITORY, Backend, NodeError
from .demo import load

COMMAND_LINE_ONLY = {
    "backend",
    "calibration",
    "device",
    "dtype",
    "max_loss",
    "min_speedup",
    "overlap",
    "provider",
    "weights",
}
"""Arguments that no node has an input for, nor hands over."""


@pytest.fixture(scope="module")
def node_words() -> Callable[[str, object], str]:
    """The nodes' own, without the package that only chaiNNer can import."""
    file = REPOSITORY / "chainner_nodes" / "aethernet" / "_labels.py"
    spec = importlib.util.spec_from_file_location("labels", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.node_words


@pytest.mark.parametrize(
    ("argument", "value", "words"),
    [
        ("force", True, "Overwrite"),
        ("engine", False, "turning off Engine"),
        ("tile", 64, "Tile Size 64"),
        ("max_shapes", None, "Largest Side"),
    ],
)
def test_an_argument_is_named_by_its_label(
    node_words: Callable[[str, object], str], argument: str, value: object, words: str
) -> None:
    assert node_words(argument, value) == words


def hinted() -> Iterator[str]:
    """Yield the arguments that hints of the package name."""
    for path in (REPOSITORY / "spandrel_aethernet").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Hint":
                template = call.args[0]
                if isinstance(template, ast.Constant) and path.name != "errors.py":
                    yield from (
                        name for _, name, _, _ in string.Formatter().parse(str(template.value)) if name
                    )


def test_every_argument_that_a_hint_names_has_a_label(node_words: Callable[[str, object], str]) -> None:
    named = set(hinted()) - COMMAND_LINE_ONLY
    assert {"force", "targets", "tile"} <= named
    assert {argument for argument in named if node_words(argument, None) == argument} == set()


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"Precision": "fp16-int8", "Opset": 17}, "opset 17 cannot hold fp16-int8: expected 19 to 21"),
        ({"Opset": 21}, f"PyTorch {torch.__version__} cannot write opset 21: choose 20 or less"),
        (
            {"Sizes": "custom", "Smallest Side": 300},
            "Smallest Side 300, Usual Side 256 and Largest Side 1080 must grow in this order",
        ),
    ],
)
def test_a_bad_input_is_one_sentence(
    backend: Backend,
    artifacts: Artifacts,
    tmp_path: Path,
    inputs: dict[str | int, str | int],
    sentence: str,
) -> None:
    graph = backend.graph()
    loaded = load(graph, artifacts.tiny).out("Model")
    export = graph.add("aethernet:export_onnx", {"Model": loaded, **inputs})
    graph.add("chainner:onnx:save_model", {"Model": export.out(0), "Directory": tmp_path, "Model Name": "x"})

    with pytest.raises(NodeError) as caught:
        backend.run(graph)
    assert caught.value.message == sentence


def test_another_architecture_is_refused(backend: Backend, tmp_path: Path) -> None:
    shapes = {
        "0.weight": (8, 3, 3, 3),
        "0.bias": (8,),
        "1.weight": (8,),
        "2.weight": (12, 8, 3, 3),
        "2.bias": (12,),
    }
    torch.save({f"body.{key}": torch.zeros(shape) for key, shape in shapes.items()}, tmp_path / "compact.pth")
    graph = backend.graph()
    model = load(graph, tmp_path / "compact.pth")
    graph.add("aethernet:save_release", {"Model": model.out("Model"), "Directory": tmp_path})

    with pytest.raises(NodeError, match="Model is RealESRGAN Compact, and this node takes AetherNet models"):
        backend.run(graph)
