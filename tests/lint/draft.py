"""Writing a small ONNX graph node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

INT8_ZERO = np.int8(0)
OUT = 16
IN = 8


class Draft:
    """A graph being written, from `input`, N x 8 x H x W. Every method adds a node and returns its output."""

    def __init__(self, dtype: type[np.floating] = np.float32) -> None:
        self.dtype = dtype
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._numbers = np.random.default_rng(0)

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator with one output."""
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Add an initializer."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def int8(self, *shape: int) -> str:
        """Add an initializer of random int8 values."""
        return self.constant(self._numbers.integers(-127, 128, shape), np.int8)

    def floats(self, *shape: int) -> str:
        """Add an initializer of random floats."""
        return self.constant(self._numbers.normal(size=shape), self.dtype)

    def quantize(self, x: str, scale: Any = 0.02, zero: Any = INT8_ZERO, **attributes: Any) -> str:
        """Add QuantizeLinear; a `zero` of None leaves the zero point out."""
        return self._linear("QuantizeLinear", x, scale, zero, attributes)

    def dequantize(self, x: str, scale: Any = 0.02, zero: Any = INT8_ZERO, **attributes: Any) -> str:
        """Add DequantizeLinear; a `zero` of None leaves the zero point out."""
        return self._linear("DequantizeLinear", x, scale, zero, attributes)

    def qdq(self, x: str, scale: Any = 0.02, zero: Any = INT8_ZERO, **attributes: Any) -> str:
        """Add a pair."""
        return self.dequantize(self.quantize(x, scale, zero, **attributes), scale, zero, **attributes)

    def weight(self, shape: Sequence[int], axis: int = 0, *, scale: Any = None, zero: Any = "zeros") -> str:
        """Add an int8 weight with one scale for each channel of `axis`."""
        scale = np.full(shape[axis], 0.01) if scale is None else scale
        zero = np.zeros(np.shape(scale), np.int8) if isinstance(zero, str) else zero
        return self.dequantize(self.int8(*shape), scale, zero, axis=axis)

    def conv(self, x: str, weight: str | None = None, bias: str | None = None) -> str:
        """Add a Conv of 3x3, 8 to 16 channels unless its weight says otherwise."""
        weight = weight or self.weight((OUT, IN, 3, 3))
        return self.node("Conv", x, weight, *([bias] if bias else []), pads=[1] * 4)

    def rows(self, x: str = "input") -> str:
        """Add a Transpose that makes channels the last axis, for a MatMul."""
        return self.node("Transpose", x, perm=[0, 2, 3, 1])

    def model(
        self, output: str, opset: int | None = 17, *, types: tuple[str, str] | None = None
    ) -> ModelProto:
        """Return the graph with one output; `types` are ONNX's names of the input's and the output's type."""
        default = "FLOAT16" if self.dtype is np.float16 else "FLOAT"
        input_type, output_type = (TensorProto.DataType.Value(name) for name in types or (default, default))
        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [helper.make_tensor_value_info("input", input_type, ["N", IN, "H", "W"])],
            [helper.make_tensor_value_info(output, output_type, list("abcd"))],
            self.constants,
        )
        opsets = [helper.make_opsetid("", opset)] if opset else [helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def _linear(self, op: str, x: str, scale: Any, zero: Any, attributes: dict[str, Any]) -> str:
        scale = scale if isinstance(scale, str) else self.constant(scale, self.dtype)
        zeros = () if zero is None else (zero if isinstance(zero, str) else self.constant(zero),)
        return self.node(op, x, scale, *zeros, **attributes)
