"""Tiny ONNX graphs, good and bad; `cases` says which the linter passes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from .draft import IN, INT8_ZERO, OUT, Draft


def filled(value: float, *, at: int = 3) -> NDArray[Any]:
    """Return scales for a weight's channels, one of them `value`."""
    scales = np.full(OUT, 0.01)
    scales[at] = value
    return scales


def convolution(*, opset: int | None = 17, dtype: type[np.floating] = np.float32, **pair: Any) -> ModelProto:
    """Return a quantized Conv whose input's pair is made with `pair`."""
    draft = Draft(dtype)
    return draft.model(draft.conv(draft.qdq("input", **pair), bias=draft.floats(OUT)), opset)


def convolution_with(**weight: Any) -> ModelProto:
    """Return a quantized Conv whose weight is made with `weight`."""
    draft = Draft()
    return draft.model(draft.conv(draft.qdq("input"), draft.weight((OUT, IN, 3, 3), **weight)))


def product(axis: int, *, left: bool = False) -> ModelProto:
    """Return a quantized MatMul with the weight's scales along `axis`."""
    draft = Draft()
    if left:
        flat = draft.node("Reshape", "input", draft.constant([1, 1, 64, -1], np.int64))
        return draft.model(draft.node("MatMul", draft.weight((OUT, 64), axis), draft.qdq(flat)))
    return draft.model(draft.node("MatMul", draft.qdq(draft.rows()), draft.weight((IN, OUT), axis)))


def gemm(axis: int, *, transposed: bool) -> ModelProto:
    """Return a quantized Gemm."""
    draft = Draft()
    flat = draft.node("Flatten", draft.node("GlobalAveragePool", "input"))
    shape = (OUT, IN) if transposed else (IN, OUT)
    made = draft.node(
        "Gemm", draft.qdq(flat), draft.weight(shape, axis), draft.floats(OUT), transB=transposed
    )
    return draft.model(draft.node("Reshape", made, draft.constant([1, 1, 1, OUT], np.int64)))


def feed_forward() -> ModelProto:
    """Return two MatMuls that share a pair, and a Conv before them inside a residual sum."""
    draft = Draft()
    body = draft.node("Add", "input", draft.conv(draft.qdq("input"), draft.weight((IN, IN, 3, 3))))
    shared = draft.qdq(draft.rows(body))
    gate, main = (draft.node("MatMul", shared, draft.weight((IN, OUT), 1)) for _ in range(2))
    return draft.model(draft.node("Mul", draft.node("Sigmoid", gate), main))


def moved(op: str, *constants: Any, channels: int = IN, **attributes: Any) -> ModelProto:
    """Return a quantized Conv with an operator between its input's pair and itself."""
    draft = Draft()
    inputs = [draft.constant(constant) for constant in constants]
    x = draft.node(op, draft.qdq("input"), *inputs, **attributes)
    return draft.model(draft.conv(x, draft.weight((OUT, channels, 3, 3))))


def moved_while_int8() -> ModelProto:
    """Return a MatMul with a Transpose inside its input's pair, and one after its weight."""
    draft = Draft()
    x = draft.dequantize(draft.rows(draft.quantize("input")))
    return draft.model(
        draft.node("MatMul", x, draft.node("Transpose", draft.weight((OUT, IN), 0), perm=[1, 0]))
    )


def both_ends() -> ModelProto:
    """Return a Conv whose output is quantized too, as ONNX Runtime wants it, and then added to a constant."""
    draft = Draft()
    made = draft.qdq(draft.conv(draft.qdq("input")))
    return draft.model(draft.node("Add", made, draft.floats(1, OUT, 1, 1)))


def float_weight_with_pair() -> ModelProto:
    """Return a Conv whose weight is stored as floats and quantized by a pair of its own."""
    draft = Draft()
    weight = draft.qdq(draft.floats(OUT, IN, 3, 3), filled(0.01), np.zeros(OUT, np.int8), axis=0)
    return draft.model(draft.conv(draft.qdq("input"), weight))


def skipped_branch() -> ModelProto:
    """Return a residual sum with a pair of its own on the skipped branch."""
    return residual(branch=False)


def residual(*, branch: bool) -> ModelProto:
    """Return a Conv in a residual sum whose skipped branch is quantized, the other one too if asked."""
    draft = Draft()
    shared = draft.qdq("input")
    made = draft.conv(shared, draft.weight((IN, IN, 3, 3)))
    return draft.model(draft.node("Relu", draft.node("Add", shared, draft.qdq(made) if branch else made)))


def depthwise() -> ModelProto:
    """Return a quantized Conv with a channel a group."""
    draft = Draft()
    made = draft.node("Conv", draft.qdq("input"), draft.weight((IN, 1, 3, 3)), group=IN, pads=[1] * 4)
    return draft.model(made)


def unquantized() -> ModelProto:
    """Return a float Conv."""
    draft = Draft()
    return draft.model(draft.conv("input", draft.floats(OUT, IN, 3, 3)))


def constants_of_nodes() -> ModelProto:
    """Return a quantized Conv whose scales and weight are outputs of Constant nodes."""
    draft = Draft()
    scale = draft.node("Constant", value_float=0.02)
    none: NDArray[np.int8] = np.zeros((), np.int8)
    ones: NDArray[np.int8] = np.ones((OUT, IN, 3, 3), np.int8)
    zero, values = (draft.node("Constant", value=numpy_helper.from_array(value)) for value in (none, ones))
    return draft.model(draft.conv(draft.qdq("input", scale, zero), draft.dequantize(values, scale, zero)))


def other_weight_type(name: str) -> ModelProto:
    """Return a MatMul, opset 21, whose weight is stored as another quantized type."""
    draft = Draft()
    number = TensorProto.DataType.Value(name)
    values = helper.make_tensor("values", number, (IN, OUT), [0] * (IN * OUT))
    zeros = helper.make_tensor("zeros", number, (OUT,), [0] * OUT)
    draft.constants += [values, zeros]
    weight = draft.dequantize("values", filled(0.01), "zeros", axis=1)
    return draft.model(draft.node("MatMul", draft.qdq(draft.rows()), weight), 21)


def quantized_bias(dtype: type[np.integer]) -> ModelProto:
    """Return a quantized Conv whose bias is stored as integers."""
    draft = Draft()
    bias = draft.dequantize(draft.constant(np.arange(OUT), dtype), 2e-4, None)
    return draft.model(draft.conv(draft.qdq("input"), bias=bias))


def computed_scale() -> ModelProto:
    """Return a quantized Conv whose input's scale is measured while the network runs."""
    draft = Draft()
    largest = draft.node("ReduceMax", draft.node("Abs", "input"), keepdims=0)
    scale = draft.node("Div", largest, draft.constant(127, np.float32))
    return draft.model(draft.conv(draft.qdq("input", scale)))


def mixed_zero_points(quantize: Any, dequantize: Any) -> ModelProto:
    """Return a quantized Conv, the two nodes of whose input's pair have different zero points."""
    draft = Draft()
    return draft.model(draft.conv(draft.dequantize(draft.quantize("input", zero=quantize), zero=dequantize)))


def blocked_weight() -> ModelProto:
    """Return a MatMul, opset 21, whose int8 weight has a scale for each four rows."""
    draft = Draft()
    scales = np.full((2, OUT), 0.01)
    weight = draft.dequantize(draft.int8(IN, OUT), scales, np.zeros((2, OUT), np.int8), axis=0, block_size=4)
    return draft.model(draft.node("MatMul", draft.qdq(draft.rows()), weight), 21)


def int8_constant_behind(op: str, **attributes: Any) -> ModelProto:
    """Return a MatMul whose int8 weight goes through an operator before it is dequantized."""
    draft = Draft()
    if op == "Transpose":
        values = draft.node(op, draft.int8(OUT, IN), **attributes)
    else:
        values = draft.node(op, draft.int8(IN, OUT // 2), draft.int8(IN, OUT // 2), **attributes)
    weight = draft.dequantize(values, filled(0.01), np.zeros(OUT, np.int8), axis=1)
    return draft.model(draft.node("MatMul", draft.qdq(draft.rows()), weight))


def dangling(*, to_output: bool) -> ModelProto:
    """Return a Conv beside a QuantizeLinear that nothing reads, or that the network gives out."""
    draft = Draft()
    if to_output:
        return draft.model(draft.quantize(draft.conv(draft.qdq("input"))), types=("FLOAT", "INT8"))
    draft.quantize(draft.node("Relu", "input"))
    return draft.model(draft.conv(draft.qdq("input")))


def cast_to_int8() -> ModelProto:
    """Return a Conv whose input is rounded by a Cast instead of QuantizeLinear."""
    draft = Draft()
    values = draft.node("Cast", "input", to=TensorProto.INT8)
    return draft.model(draft.conv(draft.dequantize(values)))


def int8_input() -> ModelProto:
    """Return a Conv of a network that is given int8."""
    draft = Draft()
    return draft.model(draft.conv(draft.dequantize("input")), types=("INT8", "FLOAT"))


def two_scales() -> ModelProto:
    """Return a Conv, the two nodes of whose input's pair have different scales."""
    draft = Draft()
    return draft.model(draft.conv(draft.dequantize(draft.quantize("input"), 0.03)))


def one_side(*, weight: bool, conv: bool = True) -> ModelProto:
    """Return a Conv or MatMul with only its weight or only its input quantized."""
    draft = Draft()
    shape, axis = ((OUT, IN, 3, 3), 0) if conv else ((IN, OUT), 1)
    x = "input" if conv else draft.rows()
    x = x if weight else draft.qdq(x)
    factor = draft.weight(shape, axis) if weight else draft.floats(*shape)
    return draft.model(draft.conv(x, factor) if conv else draft.node("MatMul", x, factor))


def outputs_only() -> ModelProto:
    """Return a float Conv whose output is quantized."""
    draft = Draft()
    return draft.model(draft.node("Relu", draft.qdq(draft.conv("input", draft.floats(OUT, IN, 3, 3)))))


def around_softmax() -> ModelProto:
    """Return a quantized Conv, and a Softmax whose input is quantized."""
    draft = Draft()
    return draft.model(draft.conv(draft.qdq(draft.node("Softmax", draft.qdq(draft.node("Relu", "input"))))))


def quantized_twice(second: float) -> ModelProto:
    """Return two Convs of one tensor, each with a pair of its own."""
    draft = Draft()
    sides = (draft.conv(draft.qdq("input", scale)) for scale in (0.02, second))
    return draft.model(draft.node("Add", *sides))


def integer_operator(op: str) -> ModelProto:
    """Return a graph around an operator that is quantized by itself."""
    draft = Draft()
    if op == "DynamicQuantizeLinear":
        draft.nodes.append(helper.make_node(op, ["input"], ["values", "scale", "zero"], name=op))
        return draft.model(draft.node("Relu", draft.dequantize("values", "scale", "zero")))
    values, weight = draft.quantize(draft.rows()), draft.int8(IN, OUT)
    if op == "MatMulInteger":
        return draft.model(draft.node("Cast", draft.node(op, values, weight), to=TensorProto.FLOAT))
    scale, zero = draft.constant(0.02, np.float32), draft.constant(INT8_ZERO)
    return draft.model(
        draft.dequantize(draft.node(op, values, scale, zero, weight, scale, zero, scale, zero))
    )


def half_body_with_float_scale() -> ModelProto:
    """Return a float16 Conv, opset 19, whose input's pair has float32 scales, which ONNX's types forbid."""
    draft = Draft()
    half = draft.node("Cast", "input", to=TensorProto.FLOAT16)
    return draft.model(draft.conv(draft.qdq(half)), 19)
