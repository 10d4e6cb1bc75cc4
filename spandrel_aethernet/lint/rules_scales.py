"""Rules for a single Q/DQ node: its types, scales and zero point (QDQ1xx)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..onnx_model.graph import OnnxGraph
from ..onnx_model.nodes import Constant, QdqNode
from .rule import Rule, Violation

_FP16_SCALES = 19
"""The first opset whose QuantizeLinear takes float16."""
_TAKEN_FOR_INT8 = ("UINT8", "INT4")
_HALF = ("FLOAT16", "BFLOAT16")


def asymmetric(graph: OnnxGraph) -> Iterator[Violation]:
    """Zero points are 0.

    The parser refuses others: "Non-zero zero point is not supported".
    """
    for part in graph.qdq:
        wrong = _nonzero(part.zero_point)
        if part.stored == "INT8" and wrong:
            yield Violation(part.node.name, f"its zero point is {wrong[0]}, not 0")


def other_type(graph: OnnxGraph) -> Iterator[Violation]:
    """The quantized type is int8.

    The parser refuses uint8 weights, uint8 with a zero point other than 0, and 16-bit types. The builder
    refuses FP8 for GPUs older than Ada.
    """
    for part in graph.qdq:
        if part.stored not in (None, "INT8", "INT32") and not _is_taken_for_int8(part):
            yield Violation(part.node.name, f"its quantized type is {part.stored}, not INT8")


def taken_for_int8(graph: OnnxGraph) -> Iterator[Violation]:
    """The quantized type is named, and is neither uint8 with zero point 0 nor int4.

    A zero point that is left out means uint8. The documentation says that uint8 is refused; TensorRT for
    RTX builds it as int8, so that values above 127 are cut off. 4-bit weights are built, but do not run as
    INT8.
    """
    for part in graph.qdq:
        if not _is_taken_for_int8(part):
            continue
        if part.quantizes and not part.node.input(2):
            yield Violation(
                part.node.name, "it has no zero point, which makes its quantized type UINT8, not INT8"
            )
        else:
            yield Violation(
                part.node.name, f"its quantized type is {part.stored}, which TensorRT does not keep"
            )


def int32(graph: OnnxGraph) -> Iterator[Violation]:
    """A bias stays in float.

    The parser refuses a DequantizeLinear of int32, which other programs use for a bias.
    """
    for part in graph.qdq:
        if part.stored == "INT32":
            yield Violation(part.node.name, "it dequantizes INT32, as for a bias")


def not_positive(graph: OnnxGraph) -> Iterator[Violation]:
    """Scales are greater than 0.

    The parser refuses 0, negative numbers and NaN: "must all be positive".
    """
    for part in graph.qdq:
        if part.scale and part.scale.value is not None:
            wrong = part.scale.value[~(part.scale.value > 0)]
            if wrong.size:
                yield Violation(
                    part.node.name, f"{_of(wrong.size, part.scale)} not positive: {wrong.flat[0]:g}"
                )


def infinite(graph: OnnxGraph) -> Iterator[Violation]:
    """Scales are finite.

    TensorRT for RTX builds an engine with an infinite scale, and the engine computes NaN.
    """
    for part in graph.qdq:
        if (
            part.scale
            and part.scale.value is not None
            and (count := int(np.isposinf(part.scale.value).sum()))
        ):
            yield Violation(part.node.name, f"{_of(count, part.scale)} infinite")


def computed_scale(graph: OnnxGraph) -> Iterator[Violation]:
    """Scales are known before the network runs.

    The parser crashes on a scale that is computed from the input.
    """
    for part in graph.qdq:
        scale = part.node.input(1)
        producer = graph.producer(scale)
        if not graph.is_fixed(scale) and not (producer and producer.op == "DynamicQuantizeLinear"):
            yield Violation(part.node.name, "its scale is computed while the network runs")


def scale_count(graph: OnnxGraph) -> Iterator[Violation]:
    """A weight has one scale, or one for each channel.

    The parser refuses other counts.
    """
    for part in graph.qdq:
        shape = graph.shape(part.node.input(0))
        if not (part.scale and part.of_constant and shape) or len(part.scale.shape) != 1:
            continue
        count, axis = part.scale.shape[0], part.axis
        if not -len(shape) <= axis < len(shape):
            yield Violation(part.node.name, f"its scales run along axis {axis} of a weight of shape {shape}")
        elif count not in (1, shape[axis]):
            yield Violation(
                part.node.name, f"it has {count} scales for the {shape[axis]} channels of axis {axis}"
            )


def zero_point_count(graph: OnnxGraph) -> Iterator[Violation]:
    """There are as many zero points as scales.

    The parser refuses other counts: both must have "the same volume".
    """
    for part in graph.qdq:
        if part.scale and part.zero_point:
            scales, zero_points = (int(np.prod(entry.shape)) for entry in (part.scale, part.zero_point))
            if scales != zero_points:
                yield Violation(part.node.name, f"it has {zero_points} zero points for {scales} scales")


def zero_point_type(graph: OnnxGraph) -> Iterator[Violation]:
    """The zero point has the quantized type.

    ONNX's checker refuses a file with another type. TensorRT for RTX builds it.
    """
    for part in graph.qdq:
        zero_point = graph.type_of(part.node.input(2))
        if zero_point and part.stored and zero_point != part.stored:
            message = f"its zero point is {zero_point}, what it dequantizes {part.stored}"
            yield Violation(part.node.name, message)


def blocked(graph: OnnxGraph) -> Iterator[Violation]:
    """An int8 tensor has one scale, or one for each channel.

    The builder refuses int8 in blocks with a scale each.
    """
    for part in graph.qdq:
        size = part.node.attributes.get("block_size")
        if size and part.stored == "INT8":
            yield Violation(part.node.name, f"it has a scale for each block of {size}")


def per_channel_activation(graph: OnnxGraph) -> Iterator[Violation]:
    """An activation has one scale, a scalar.

    The documentation says that others are refused. TensorRT for RTX builds them and runs the product in
    float, even for a list of one scale.
    """
    for part in graph.qdq:
        if part.per_channel and not part.of_constant and part.scale:
            yield Violation(
                part.node.name, f"it quantizes an activation with a list of {part.scale.shape[0]} scales"
            )


def half_scale(graph: OnnxGraph) -> Iterator[Violation]:
    """A file with float16 scales has opset 19 or later.

    ONNX's checker and ONNX Runtime refuse a file of an older opset. TensorRT for RTX builds it.
    """
    if graph.opset is None or graph.opset >= _FP16_SCALES:
        return
    for part in graph.qdq:
        if part.scale and part.scale.type in _HALF:
            yield Violation(part.node.name, f"its scale is {part.scale.type} at opset {graph.opset}")


def _is_taken_for_int8(part: QdqNode) -> bool:
    if part.stored == "UINT8" and part.of_constant and not part.quantizes:
        return False
    return part.stored in _TAKEN_FOR_INT8 and not _nonzero(part.zero_point)


def _nonzero(zero_point: Constant | None) -> list[int]:
    if zero_point is None or zero_point.value is None:
        return []
    return [int(value) for value in zero_point.value.ravel() if value]


def _of(count: int, scale: Constant) -> str:
    total = int(np.prod(scale.shape))
    if total == 1:
        return "its scale is"
    return f"{count} of its {total} scales {'is' if count == 1 else 'are'}"


_SYMMETRIC = "quantize symmetrically: zero point 0, scale = max(|min|, |max|) / 127"
_INT8 = "quantize to int8, with an int8 zero point of 0"
_POSITIVE = "give a small positive scale instead: a channel of zeros needs one too"

RULES = (
    Rule("QDQ101", "error", asymmetric, _SYMMETRIC),
    Rule("QDQ102", "error", other_type, _INT8),
    Rule("QDQ103", "warning", taken_for_int8, _INT8),
    Rule("QDQ104", "error", int32, "leave the bias in float"),
    Rule("QDQ105", "error", not_positive, _POSITIVE),
    Rule("QDQ106", "warning", infinite, "calibrate again: a range was infinite or too wide for its type"),
    Rule("QDQ107", "error", computed_scale, "store the scale in the file: calibrate it beforehand"),
    Rule("QDQ108", "error", scale_count, "give one scale for each output channel, along the weight's axis"),
    Rule("QDQ109", "error", zero_point_count, "give zero points of the scales' shape"),
    Rule("QDQ110", "error", zero_point_type, "give zero points of the quantized type"),
    Rule("QDQ111", "error", blocked, "give one scale for each output channel"),
    Rule("QDQ112", "warning", per_channel_activation, "give the activation one scalar scale"),
    Rule("QDQ113", "error", half_scale, "export with opset 19 or later, or keep the scales in float32"),
)
