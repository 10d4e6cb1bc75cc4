"""Where a network leaves the range of float16."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import nn

from ..errors import Hint, OnnxError
from ..precision import Precision

_LARGEST = 65504
"""The largest finite float16."""


def check_weights(network: nn.Module, precision: Precision) -> None:
    """Raise `OnnxError` for a network of which a stored value is infinite in the float type wanted."""
    if precision.float_type != "fp16":
        return
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not tensor.half().isfinite().all():
            raise _too_large(f"{name} holds {float(tensor.abs().max()):.4g}, which is", precision)


def refusal(model: onnx.ModelProto, image: NDArray[np.floating], precision: Precision) -> OnnxError:
    """Return what to say of an exported model whose output for N x C x H x W is not finite."""
    place = first_not_finite(model, image)
    if precision.float_type == "fp16":
        return _too_large(f"{place} makes values that are", precision)
    return OnnxError(f"{place} makes infinite values or NaN, so nothing was written")


def first_not_finite(model: onnx.ModelProto, image: NDArray[np.floating]) -> str:
    """Return the first operator whose output is not finite, with the stored tensor that it reads if any.

    ONNX Runtime is asked for the outputs of all, one after the other, without its optimizations: a CPU
    otherwise computes some of a float16 model in float32.
    """
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    makers = {name: node for node in model.graph.node for name in node.output if name}
    known = {entry.name: entry for entry in [*model.graph.value_info, *model.graph.output]}
    for name in makers:
        shown.graph.output.append(known.get(name, helper.make_empty_tensor_value_info(name)))
    library: Any = onnxruntime
    options = library.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = library.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = library.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {model.graph.input[0].name: image}
    stored = {tensor.name for tensor in model.graph.initializer if tensor.data_type != TensorProto.INT64}
    for name, node in makers.items():
        (values,) = session.run([name], feeds)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            weights = [read for read in node.input if read in stored]
            of = f" of {weights[0]}" if weights else f" {node.name}" if node.name else ""
            return f"{node.op_type}{of}"
    return "the network"


def _too_large(what: str, precision: Precision) -> OnnxError:
    other = Precision("fp32", precision.int8)
    return OnnxError(
        f"{what} too large for float16, which ends at {_LARGEST}, so nothing was written",
        Hint("use {precision}", precision=str(other)),
    )
