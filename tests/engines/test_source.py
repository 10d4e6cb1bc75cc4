"""What an ONNX file tells of the engine that it will be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from spandrel_aethernet.engines.source import Operator, read_source
from spandrel_aethernet.errors import OnnxError
from spandrel_aethernet.shapes import Profile

from ..lint.graphs import depthwise, outputs_only
from .networks import upscaler


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
    source = read_source(upscaler(tmp_path / "a.onnx", **options))
    assert source.operators == (operator,)
    assert source.precision == precision
    assert source.counts == {operator.precision: 1}
    assert source.fp32_products == int(operator.kind == "MatMul" and operator.made == "fp32")
    assert source.int8_convolutions == int(operator.kind == "Conv" and operator.precision == "int8")
    assert (source.errors, source.warnings, source.scale, source.channels) == ((), 0, 2, 3)
    assert source.sizes == (None, 3, None, None)


def test_weights_listed_among_the_inputs_are_none(tmp_path: Path) -> None:
    path = upscaler(tmp_path / "a.onnx")
    model = onnx.load(path)
    stored = model.graph.initializer[0]
    model.graph.input.insert(
        0, helper.make_tensor_value_info(stored.name, stored.data_type, list(stored.dims))
    )
    onnx.save(model, path)
    source = read_source(path)
    assert (source.input_name, source.scale) == ("input", 2)


def test_scale_is_unknown_where_sizes_do_not_grow_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    onnx.save(depthwise(), path)
    same = read_source(path)
    assert same.scale == 1
    model = onnx.load(upscaler(path))
    model.graph.node[0].attribute[0].ints[:] = [1, 0, 1, 0]
    onnx.save(model, path)
    assert read_source(path).scale is None


def test_findings_that_only_cost_speed_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    onnx.save(outputs_only(), path)
    source = read_source(path)
    assert source.errors == ()
    assert source.warnings > 0


@pytest.mark.parametrize("document", ["no JSON", "{}", "[]", json.dumps({"profile": {"batch": "3:2:1"}})])
def test_damaged_metadata_are_none(document: str, tmp_path: Path) -> None:
    path = upscaler(tmp_path / "a.onnx")
    model = onnx.load(path)
    helper.set_model_props(model, {"spandrel_aethernet": document})
    onnx.save(model, path)
    source = read_source(path)
    assert source.metadata is None
    assert source.scale == 2


def test_metadata_win(tmp_path: Path) -> None:
    path = upscaler(tmp_path / "a.onnx")
    model = onnx.load(path)
    texts = dict.fromkeys(
        ("package_version", "source", "source_sha256", "variant", "layout", "precision"), ""
    )
    fields: dict[str, Any] = {"scale": 2, "channels": 3, "preset": None, "input_ranges": {}, **texts}
    fields |= {"float_operators": [], "profile": {"batch": "1", "height": "8:16:32", "width": "8:16:32"}}
    helper.set_model_props(model, {"spandrel_aethernet": json.dumps(fields)})
    onnx.save(model, path)
    metadata = read_source(path).metadata
    assert metadata is not None
    assert metadata.profile != Profile()
    assert str(metadata.profile.height) == "8:16:32"


def test_damaged_model_is_said_with_its_name(tmp_path: Path) -> None:
    path = upscaler(tmp_path / "a.onnx")
    model = onnx.load(path)
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:10]
    onnx.save(model, path)
    with pytest.raises(OnnxError, match=r"a\.onnx"):
        read_source(path)
