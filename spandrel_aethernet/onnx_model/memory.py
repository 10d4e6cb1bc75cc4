"""How large the tensors between the operators of a network become, before it is run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import OnnxError
from ..gate.limits import VALUES
from ..shapes import shape_text
from .infer_shapes import infer_shapes, without_weights
from .read import MODEL_BYTES

if TYPE_CHECKING:
    from onnx import ModelProto

_STEADY = frozenset(
    [
        *(
            "Add",
            "Cast",
            "Clip",
            "Constant",
            "Conv",
            "DepthToSpace",
            "DequantizeLinear",
            "Div",
            "Erf",
            "Gemm",
        ),
        *("Identity", "LayerNormalization", "LeakyRelu", "MatMul", "Mul", "PRelu", "Pow", "QuantizeLinear"),
        *("ReduceMean", "Relu", "Sigmoid", "Sqrt", "Sub", "Tanh", "Transpose"),
    ]
)
"""Operators whose outputs grow with their inputs and weights only: networks of these are not looked at."""
_PER_PIXEL = 4096
"""Values that the tensors of a network may have for each pixel that goes in."""


def check_memory(model: ModelProto, shape: Sequence[int]) -> None:
    """Raise `OnnxError` for a network one of whose tensors is out of all proportion to what goes in.

    `shape` is N x C x H x W, for the axes that its input leaves open. A few bytes of a file can tell an
    operator to fill any memory, even while the file is being loaded. What shape inference cannot tell, and
    how long a loop runs, is not looked at.
    """
    from onnx import checker

    if not model.functions and _STEADY.issuperset(node.op_type for node in model.graph.node):
        return
    if model.ByteSize() > MODEL_BYTES:
        return
    valid = without_weights(model)
    for output in valid.graph.output:
        output.type.tensor_type.shape.SetInParent()  # the checker asks for one, others do not
    try:
        checker.check_model(valid)
    except (checker.ValidationError, ValueError, RuntimeError):
        return  # shape inference could crash, and whatever runs the model says what is wrong with it
    tensors = infer_shapes(model, shape)
    entry = next((tensors.get(one.name) for one in model.graph.input), None)
    given = entry.shape if entry and entry.shape and len(entry.shape) == 4 else shape
    most = max(VALUES.value, _PER_PIXEL * given[0] * math.prod(given[2:]))
    stored = {tensor.name for tensor in model.graph.initializer}
    for name, tensor in tensors.items():
        if tensor.shape is not None and name not in stored and math.prod(tensor.shape) > most:
            raise OnnxError(
                f"it makes {shape_text(tensor.shape)} values ({name}) of an input of {shape_text(given)}, "
                f"more than {most}: set {VALUES.variable} in the environment if it is what it should be"
            )
