"""What an ONNX model tells of the engine that it will be, wherever it is read from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import helper

from spandrel_aethernet.engines import source as source_module
from spandrel_aethernet.engines.source import OnnxSource, Operator, open_source
from spandrel_aethernet.errors import ArgumentError, EngineError, OnnxError
from spandrel_aethernet.shapes import Profile

if TYPE_CHECKING:
    from ..artifacts import Artifacts
from ..lint.graphs import depthwise, outputs_only
from .networks import upscaler


@pytest.fixture
def model(tmp_path: Path) -> onnx.ModelProto:
    return onnx.load(upscaler(tmp_path / "a.onnx"))


@pytest.mark.parametrize(
    ("options", "precision", "operator"),
    [
        ({}, "fp32", Operator("convolution", "Conv", "fp32", "fp32")),
        ({"dtype": np.float16}, "fp16", Operator("convolution", "Conv", "fp16", "fp16")),
        ({"product": True}, "fp32", Operator("product", "MatMul", "fp32", "fp32")),
        ({"int8": True}, "fp32-int8", Operator("convolution", "Conv", "int8", "fp32")),
        (
            {"int8": True, "product": True, "dtype": np.float16},
            "fp16-int8",
            Operator("product", "MatMul", "int8", "fp16"),
        ),
    ],
)
def test_operators_and_precision(
    options: dict[str, Any], precision: str, operator: Operator, tmp_path: Path
) -> None:
    source = open_source(upscaler(tmp_path / "a.onnx", **options))
    assert source.operators == (operator,)
    assert str(source.precision) == precision
    assert source.counts == {operator.precision: 1}
    assert source.fp32_products == int(operator.kind == "MatMul" and operator.output == "fp32")
    assert source.int8_convolutions == int(operator.kind == "Conv" and operator.precision == "int8")
    assert (source.errors, source.warnings, source.scale, source.channels) == ((), 0, 2, 3)
    assert source.sizes == (None, 3, None, None)


def test_file_and_model_in_memory_tell_the_same(tmp_path: Path, model: onnx.ModelProto) -> None:
    before = model.SerializeToString()
    held = open_source(model, name="held.onnx")
    read = open_source(str(tmp_path / "a.onnx"))
    assert model.SerializeToString() == before
    assert held.sha256 == hashlib.sha256(before).hexdigest()
    assert read.sha256 == hashlib.sha256((tmp_path / "a.onnx").read_bytes()).hexdigest()
    assert (held.name, read.name, held.path, read.path) == ("held.onnx", "a.onnx", None, tmp_path / "a.onnx")
    assert facts(held) == facts(read)


def facts(source: OnnxSource) -> dict[str, Any]:
    return {
        key: value for key, value in vars(source).items() if key not in ("name", "sha256", "path", "model")
    }


def test_a_network_is_called_like_its_checkpoint_and_exported_for_tensorrt(artifacts: Artifacts) -> None:
    source = open_source(
        artifacts.tiny_float, precision="fp32-int8", calibration=artifacts.images, verified=False
    )
    assert (source.name, source.path) == (artifacts.tiny_float.name, None)
    assert source.sha256 == hashlib.sha256(artifacts.tiny_float.read_bytes()).hexdigest()
    assert str(source.precision) == "fp32-int8"
    assert source.metadata is not None
    assert source.metadata.preset == "tensorrt", "which is not the default of this precision"


@pytest.mark.parametrize(
    ("argument", "value"), [("precision", "fp16"), ("weights", "raw"), ("calibration", Path("photos"))]
)
def test_what_is_for_checkpoints_is_refused_beside_a_model(
    argument: str, value: Any, model: onnx.ModelProto
) -> None:
    with pytest.raises(ArgumentError, match=f"held is no checkpoint: leave {argument} out"):
        open_source(model, name="held", **{argument: value})


def test_wrong_choices_are_refused_before_a_checkpoint_is_read() -> None:
    with pytest.raises(ArgumentError, match="precision is 'bf16': expected one of fp32, fp16, fp32-int8"):
        open_source("missing.pth", precision="bf16")
    wrong: Any = "rwa"
    with pytest.raises(ArgumentError, match="weights is 'rwa': expected one of grid, raw"):
        open_source("missing.pth", weights=wrong)


def test_other_files_are_refused_by_their_name() -> None:
    with pytest.raises(EngineError, match=r"a\.txt is not named like an ONNX file or a checkpoint"):
        open_source("a.txt")


def test_model_too_large_for_memory_is_to_be_given_as_a_file(
    model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "MODEL_BYTES", 100)  # instead of 2 GB
    with pytest.raises(EngineError, match="held is larger than 2 GB: save it with external data"):
        open_source(model, name="held")


def test_weights_listed_among_the_inputs_are_none(model: onnx.ModelProto) -> None:
    stored = model.graph.initializer[0]
    model.graph.input.insert(
        0, helper.make_tensor_value_info(stored.name, stored.data_type, list(stored.dims))
    )
    source = open_source(model)
    assert (source.input_name, source.scale) == ("input", 2)


def test_scale_is_that_of_both_sides(model: onnx.ModelProto) -> None:
    assert open_source(depthwise()).scale == 1
    model.graph.node[0].attribute[0].ints[:] = [1, 0, 1, 0]
    assert open_source(model).scale is None


def test_findings_that_only_cost_speed_are_counted() -> None:
    source = open_source(outputs_only())
    assert source.errors == ()
    assert source.warnings > 0


@pytest.mark.parametrize("document", ["no JSON", "{}", "[]", json.dumps({"profile": {"batch": "3:2:1"}})])
def test_damaged_metadata_are_none(document: str, model: onnx.ModelProto) -> None:
    helper.set_model_props(model, {"spandrel_aethernet": document})
    source = open_source(model)
    assert source.metadata is None
    assert source.scale == 2


def test_metadata_win(model: onnx.ModelProto) -> None:
    texts = dict.fromkeys(("package_version", "source", "source_sha256", "variant", "layout"), "")
    fields: dict[str, Any] = {
        "scale": 2,
        "channels": 3,
        "precision": "fp32",
        "preset": None,
        "input_ranges": {},
        **texts,
    }
    fields |= {"float_operators": [], "profile": {"batch": "1", "height": "8:16:32", "width": "8:16:32"}}
    helper.set_model_props(model, {"spandrel_aethernet": json.dumps(fields)})
    metadata = open_source(model).metadata
    assert metadata is not None
    assert metadata.profile != Profile()
    assert str(metadata.profile.height) == "8:16:32"


def test_damaged_model_is_said_with_its_name(tmp_path: Path, model: onnx.ModelProto) -> None:
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:10]
    path = tmp_path / "damaged.onnx"
    onnx.save(model, path)
    for given in (path, model):
        with pytest.raises(OnnxError, match=r"damaged\.onnx: weight is damaged"):
            open_source(given, name="damaged.onnx")
