"""Type and shape of every tensor of a model, once the sizes of its input are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .nodes import type_name
from .read import MODEL_BYTES

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto


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
    from onnx import ModelProto, shape_inference

    stored = {tensor.name: _stored(tensor.data_type, tensor.dims) for tensor in model.graph.initializer}
    if model.ByteSize() > MODEL_BYTES:
        return stored
    sized = ModelProto()
    sized.CopyFrom(model)
    _fix_inputs(sized, sizes)
    try:
        sized = shape_inference.infer_shapes(sized, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        return stored
    entries = (*sized.graph.input, *sized.graph.value_info, *sized.graph.output)
    return stored | {entry.name: _inferred(entry) for entry in entries}


def _fix_inputs(model: ModelProto, sizes: Sequence[int]) -> None:
    """Fill the open axes of the inputs, and forget all shapes that are inferred from them."""
    del model.graph.value_info[:]
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
