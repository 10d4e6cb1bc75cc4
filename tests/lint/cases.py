"""Which of the tiny graphs the linter passes, and what it must say of the others.

After a change to any of them, measure again: `python -m tests.lint.rtx` (see there).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from onnx import ModelProto

from .draft import IN, INT8_ZERO, OUT
from .graphs import (
    around_softmax,
    blocked_weight,
    both_ends,
    cast_to_int8,
    computed_scale,
    constants_of_nodes,
    convolution,
    convolution_with,
    dangling,
    depthwise,
    feed_forward,
    filled,
    float_weight_with_pair,
    gemm,
    half_body_with_float_scale,
    int8_constant_behind,
    int8_input,
    integer_operator,
    mixed_zero_points,
    moved,
    moved_while_int8,
    one_side,
    other_weight_type,
    outputs_only,
    product,
    quantized_bias,
    quantized_twice,
    residual,
    skipped_branch,
    two_scales,
    unquantized,
)

GOOD: dict[str, Callable[[], ModelProto]] = {
    "a Conv": convolution,
    "a Conv with axis -4": lambda: convolution_with(axis=-4),
    "a Conv with one scale": lambda: convolution_with(scale=0.01),
    "a Conv without zero points of its weight": lambda: convolution_with(zero=None),
    "a depthwise Conv": depthwise,
    "a float16 Conv at opset 19": lambda: convolution(opset=19, dtype=np.float16),
    "a feed-forward with one shared pair": feed_forward,
    "a MatMul with axis -1": lambda: product(-1),
    "a MatMul with its weight on the left": lambda: product(0, left=True),
    "a Gemm": lambda: gemm(1, transposed=False),
    "a transposed Gemm": lambda: gemm(0, transposed=True),
    "DepthToSpace after the pair": lambda: moved("DepthToSpace", channels=2, blocksize=2),
    "MaxPool after the pair": lambda: moved("MaxPool", kernel_shape=[2, 2]),
    "Slice after the pair": lambda: moved("Slice", [0], [16], [2]),
    "Transposes inside the pair and after the weight": moved_while_int8,
    "a quantized output of a quantized Conv": both_ends,
    "a float weight with a pair": float_weight_with_pair,
    "a quantized skipped branch": skipped_branch,
    "constants of nodes": constants_of_nodes,
    "an int8 bias": lambda: quantized_bias(np.int8),
    "no quantization": unquantized,
}
"""Graphs in which nothing is found."""

BAD: dict[str, tuple[str, Callable[[], ModelProto]]] = {
    "no opset": ("ONX001", lambda: convolution(opset=None)),
    "opset 12": ("ONX002", lambda: convolution(opset=12)),
    "float32 scales of a float16 tensor": ("ONX003", half_body_with_float_scale),
    "an asymmetric activation": ("QDQ101", lambda: convolution(zero=np.int8(3))),
    "an asymmetric weight": ("QDQ101", lambda: convolution_with(zero=np.full(OUT, 2, np.int8))),
    "uint8 with zero point 128": ("QDQ102", lambda: convolution(zero=np.uint8(128))),
    "a uint8 weight": ("QDQ102", lambda: other_weight_type("UINT8")),
    "an int16 weight": ("QDQ102", lambda: other_weight_type("INT16")),
    "a UINT4 weight": ("QDQ102", lambda: other_weight_type("UINT4")),
    "a FLOAT8 weight": ("QDQ102", lambda: other_weight_type("FLOAT8E4M3FN")),
    "uint8 with zero point 0": ("QDQ103", lambda: convolution(zero=np.uint8(0))),
    "no zero point": ("QDQ103", lambda: convolution(zero=None)),
    "an INT4 weight": ("QDQ103", lambda: other_weight_type("INT4")),
    "an int32 bias": ("QDQ104", lambda: quantized_bias(np.int32)),
    "a scale of 0": ("QDQ105", lambda: convolution(scale=0.0)),
    "a negative scale of one channel": ("QDQ105", lambda: convolution_with(scale=filled(-0.01))),
    "a scale that is NaN": ("QDQ105", lambda: convolution_with(scale=filled(np.nan))),
    "an infinite scale": ("QDQ106", lambda: convolution(scale=np.inf)),
    "a computed scale": ("QDQ107", computed_scale),
    "too few scales": ("QDQ108", lambda: convolution_with(scale=np.full(4, 0.01))),
    "too many zero points": ("QDQ109", lambda: convolution(zero=np.zeros(8, np.int8))),
    "one zero point for many scales": ("QDQ109", lambda: convolution_with(zero=INT8_ZERO)),
    "a uint8 zero point of int8": ("QDQ110", lambda: mixed_zero_points(INT8_ZERO, np.uint8(0))),
    "blocks": ("QDQ111", blocked_weight),
    "per-channel activation": (
        "QDQ112",
        lambda: convolution(scale=np.full(IN, 0.02), zero=np.zeros(IN, np.int8), axis=1),
    ),
    "a list of one activation scale": (
        "QDQ112",
        lambda: convolution(scale=np.full(1, 0.02), zero=np.zeros(1, np.int8)),
    ),
    "float16 scales at opset 17": ("QDQ113", lambda: convolution(dtype=np.float16)),
    "MatMulInteger": ("QDQ201", lambda: integer_operator("MatMulInteger")),
    "QLinearMatMul": ("QDQ201", lambda: integer_operator("QLinearMatMul")),
    "DynamicQuantizeLinear": ("QDQ201", lambda: integer_operator("DynamicQuantizeLinear")),
    "an int8 constant behind Transpose": ("QDQ202", lambda: int8_constant_behind("Transpose", perm=[1, 0])),
    "int8 constants behind Concat": ("QDQ202", lambda: int8_constant_behind("Concat", axis=1)),
    "a QuantizeLinear nobody reads": ("QDQ203", lambda: dangling(to_output=False)),
    "a quantized output": ("QDQ203", lambda: dangling(to_output=True)),
    "a Cast to int8": ("QDQ204", cast_to_int8),
    "an int8 input": ("QDQ204", int8_input),
    "two scales in a pair": ("QDQ205", two_scales),
    "a Conv weight along axis 1": ("QDQ206", lambda: convolution_with(axis=1)),
    "a MatMul weight along axis 0": ("QDQ206", lambda: product(0)),
    "a left MatMul weight along axis 1": ("QDQ206", lambda: product(1, left=True)),
    "a Gemm weight along axis 0": ("QDQ206", lambda: gemm(0, transposed=False)),
    "a transposed Gemm weight along axis 1": ("QDQ206", lambda: gemm(1, transposed=True)),
    "only a Conv weight": ("QDQ207", lambda: one_side(weight=True)),
    "only a MatMul weight": ("QDQ207", lambda: one_side(weight=True, conv=False)),
    "only a Conv input": ("QDQ208", lambda: one_side(weight=False)),
    "only a MatMul input": ("QDQ208", lambda: one_side(weight=False, conv=False)),
    "both branches of a residual sum": ("QDQ209", lambda: residual(branch=True)),
    "outputs only": ("QDQ210", outputs_only),
    "the input of Softmax": ("QDQ210", around_softmax),
    "a tensor quantized twice": ("QDQ211", lambda: quantized_twice(0.02)),
    "a tensor quantized twice with two scales": ("QDQ211", lambda: quantized_twice(0.05)),
}
"""Graphs that break one rule each, with its id."""

UGLY: dict[str, Callable[[], ModelProto]] = {
    "Relu after the pair": lambda: moved("Relu"),
    "Resize after the pair": lambda: moved(
        "Resize", np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32), mode="nearest"
    ),
    "Pad after the pair": lambda: moved("Pad", [0, 0, 1, 1, 0, 0, 1, 1]),
}
"""Graphs whose pair is misplaced, so that their Conv is quantized on one side only: two rules are broken."""

EVERY: Mapping[str, Callable[[], ModelProto]] = GOOD | {name: make for name, (_, make) in BAD.items()} | UGLY
