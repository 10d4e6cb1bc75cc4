"""Type and shape of every tensor of a model, once the sizes of its input are known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .nodes import type_name
from .read import MODEL_BYTES

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

_SMALL = 64
"""Values in the largest tensor that can be a shape, a list of axes, of pads or of scales."""


@dataclass(frozen=True)
class TensorType:
    """What is known of one tensor."""

    type: str
    """ONNX's name of its element type, such as FLOAT16."""
    shape: tuple[int, ...] | None
    """None if the size of any axis is not known."""


def infer_shapes(model: ModelProto, sizes: Sequence[int]) -> Mapping[str, TensorType]:
    """Return type and shape of inputs, outputs and all tensors between them, by ONNX's shape inference.

    `sizes` are those of the axes that an input leaves open, by the number of the axis; the last one is for
    all axes after it too. The model is not changed, and must be valid: some others crash the inference.
    Where it fails (over 2 GB, unknown operators), only the tensors stored in the file are returned.
    """
    from onnx import shape_inference

    stored = {tensor.name: _stored(tensor.data_type, tensor.dims) for tensor in model.graph.initializer}
    if model.ByteSize() > MODEL_BYTES:
        return stored
    sized = without_weights(model)
    _fix_inputs(sized, sizes)
    try:
        sized = shape_inference.infer_shapes(sized, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        return stored
    entries = (*sized.graph.input, *sized.graph.value_info, *sized.graph.output)
    return stored | {entry.name: _inferred(entry) for entry in entries}


def without_weights(model: ModelProto) -> ModelProto:
    """Return a model whose large stored tensors are inputs: no shape depends on what they hold."""
    from onnx import ModelProto
    from onnx.helper import make_tensor_value_info

    small = ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions
    )
    graph = small.graph
    graph.name = model.graph.name
    for name in ("node", "input", "output", "sparse_initializer"):
        getattr(graph, name).extend(getattr(model.graph, name))
    known = {entry.name for entry in graph.input}
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            graph.initializer.append(tensor)
        elif tensor.name not in known:
            graph.input.append(make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return small


def _fix_inputs(model: ModelProto, sizes: Sequence[int]) -> None:
    """Fill the open axes of the inputs, and forget the output's shape, which is inferred from them."""
    for entry in model.graph.output:
        entry.type.tensor_type.ClearField("shape")
    for entry in model.graph.input:
        for axis, dim in enumerate(entry.type.tensor_type.shape.dim):
            if dim.dim_value <= 0:
                dim.dim_value = sizes[min(axis, len(sizes) - 1)]


def _stored(number: int, dims: Sequence[int]) -> TensorType:
    return TensorType(type_name(number), tuple(dims))


def _inferred(entry: ValueInfoProto) -> TensorType:
    tensor = entry.type.tensor_type
    known = tensor.HasField("shape") and all(
        dim.HasField("dim_value") and dim.dim_value >= 0 for dim in tensor.shape.dim
    )
    shape = tuple(dim.dim_value for dim in tensor.shape.dim) if known else None
    return TensorType(type_name(tensor.elem_type), shape)
