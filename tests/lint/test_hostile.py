"""Models that no exporter writes: the linter answers, or refuses them in one sentence."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

from spandrel_aethernet.errors import OnnxError
from spandrel_aethernet.lint.linter import lint_onnx
from spandrel_aethernet.onnx_model import graph

from .graphs import convolution

NEWER = 99
"""An opset that ONNX's checker does not know, so that nothing is refused before the rules see it."""


def weight_of(model: ModelProto) -> int:
    return next(place for place, tensor in enumerate(model.graph.initializer) if len(tensor.dims) == 4)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (1, 1, -1), (1,) * 9 + (-1,)])
@pytest.mark.parametrize("opset", [NEWER, 17])
def test_weights_of_other_ranks(shape: tuple[int, ...], opset: int) -> None:
    model = convolution()
    tensor = model.graph.initializer[weight_of(model)]
    values = numpy_helper.to_array(tensor).reshape(shape)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    model.opset_import[0].version = opset
    assert lint_onnx(model).coverage.total.ratio in (None, 0, 1)


def test_every_kind_of_nan_is_read_without_a_warning() -> None:
    model = convolution()
    odd = np.array([0x7F800001, 0xFF800001], np.uint32).view(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(odd, "odd"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lint_onnx(model)


def test_nodes_in_a_circle_are_followed_once() -> None:
    model = convolution()
    (conv,) = (node for node in model.graph.node if node.op_type == "Conv")
    conv.input[1] = "a"
    for name, other in (("a", "b"), ("b", "a")):
        model.graph.node.append(helper.make_node("Transpose", [other], [name]))
    model.opset_import[0].version = NEWER
    assert lint_onnx(model).coverage.total.int8_operators == 0


def test_nodes_that_are_too_entangled_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_MOST_STEPS", 10_000)  # instead of millions
    model = convolution()
    count = 100
    for number in range(count):
        before = f"i{number - 1}" if number else "input"
        model.graph.node.append(helper.make_node("Identity", [before], [f"i{number}"]))
    scales = [tensor.name for tensor in model.graph.initializer][:2]
    for number in range(count):
        inputs = [f"i{count - 1}", *scales]
        model.graph.node.append(helper.make_node("DequantizeLinear", inputs, [f"d{number}"]))
    with pytest.raises(OnnxError, match="too entangled to be followed"):
        lint_onnx(model)


@pytest.mark.parametrize("attribute", [{"perm": [5, 9]}, {"perm": "text"}])
def test_attributes_of_other_types_are_a_damaged_model(attribute: dict[str, Any]) -> None:
    model = convolution()
    name = model.graph.initializer[weight_of(model)].name
    model.graph.node.append(helper.make_node("Transpose", [name], ["odd"], **attribute))
    model.opset_import[0].version = NEWER
    with pytest.raises(OnnxError, match="the model is damaged, ONNX's checker says: nothing of it"):
        lint_onnx(model)
