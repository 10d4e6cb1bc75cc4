"""The parts of an ONNX graph as the linter's rules read them: plain data, onnx only to fill it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OnnxError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

_READABLE = ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE", "INT8", "UINT8", "INT32")


@dataclass(frozen=True, eq=False)
class Node:
    """One operator."""

    op: str
    """Its type, with the domain in front unless it is ONNX's own."""
    name: str
    """As in the file; without one there, its type and its first output."""
    inputs: tuple[str, ...]
    """Names of tensors; one that was left out is empty."""
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def input(self, slot: int) -> str:
        """Return the tensor in a slot, or an empty name."""
        return self.inputs[slot] if slot < len(self.inputs) else ""

    @property
    def is_qdq(self) -> bool:
        """Whether it is QuantizeLinear or DequantizeLinear."""
        return self.op in ("QuantizeLinear", "DequantizeLinear")

    @property
    def moved(self) -> tuple[str, ...]:
        """The inputs whose values it passes on, if it is an operator that only moves values."""
        return self.inputs if self.op == "Concat" else self.inputs[:1]


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor stored in the file."""

    type: str
    """ONNX's name of its type, such as INT8."""
    shape: tuple[int, ...]
    value: NDArray[Any] | None
    """Floats as float64; None for types that no rule reads."""


@dataclass(frozen=True, eq=False)
class QdqNode:
    """A QuantizeLinear or DequantizeLinear with its type, scale and zero point."""

    node: Node
    stored: str | None
    """ONNX's name of its quantized type, None if nothing tells."""
    of_constant: bool
    """Whether what it works on is known before the network runs: a weight."""
    scale: Constant | None
    """None if it is not stored in the file as it is."""
    zero_point: Constant | None

    @property
    def quantizes(self) -> bool:
        """Whether it is the QuantizeLinear."""
        return self.node.op == "QuantizeLinear"

    @property
    def per_channel(self) -> bool:
        """Whether it has a list of scales; TensorRT takes a list of one for a channel's too."""
        return self.scale is not None and len(self.scale.shape) > 0

    @property
    def axis(self) -> int:
        """The axis its scales run along, maybe negative."""
        return self.node.attributes.get("axis", 1)


@dataclass(frozen=True, eq=False)
class Product:
    """A Conv, MatMul or Gemm: the operators that TensorRT for RTX runs on int8."""

    node: Node
    data: str
    weight: str
    channel_axis: int | None
    """The weight's axis of output channels; None if the weight's shape is not known."""


def is_onnx_domain(domain: str) -> bool:
    """Tell whether operators of a domain are ONNX's own."""
    return domain in ("", "ai.onnx")


def type_name(number: int) -> str:
    """Return ONNX's name of an element type."""
    from onnx import TensorProto

    try:
        return TensorProto.DataType.Name(number)
    except ValueError:
        return f"type {number}"


def read_nodes(protos: Sequence[NodeProto]) -> list[Node]:
    """Return the nodes of one graph in their order."""
    from onnx.helper import get_attribute_value

    nodes: list[Node] = []
    for proto in protos:
        op = proto.op_type if is_onnx_domain(proto.domain) else f"{proto.domain}.{proto.op_type}"
        nodes.append(
            Node(
                op,
                proto.name or f"{op} that makes {next(iter(proto.output), 'nothing')}",
                tuple(proto.input),
                tuple(proto.output),
                {attribute.name: get_attribute_value(attribute) for attribute in proto.attribute},
            )
        )
    return nodes


def read_constants(model: ModelProto, nodes: Sequence[Node]) -> Iterator[tuple[str, Constant]]:
    """Yield name and content of every initializer and Constant of the main graph. Raises `OnnxError`."""
    from onnx.numpy_helper import from_array

    for tensor in model.graph.initializer:
        yield tensor.name, _constant(tensor)
    for node in nodes:
        if node.op == "Constant":
            for name, value in node.attributes.items():
                if name == "value":
                    yield node.outputs[0], _constant(value)
                elif name.startswith(("value_int", "value_float")):
                    dtype = np.int64 if "int" in name else np.float32
                    yield node.outputs[0], _constant(from_array(np.asarray(value, dtype)))


def _constant(tensor: TensorProto) -> Constant:
    from onnx.numpy_helper import to_array

    if tensor.data_location == tensor.EXTERNAL:
        raise OnnxError(
            f"{tensor.name} lies in another file: lint the file itself, not the model read from it"
        )
    name = type_name(tensor.data_type)
    try:
        value = to_array(tensor) if name in _READABLE else None
    except ValueError as error:
        raise OnnxError(
            f"{tensor.name} is damaged: its data do not fill its shape, export it again"
        ) from error
    if value is not None and value.dtype.kind not in "iu":
        with np.errstate(invalid="ignore"):  # which NaN it is does not matter
            value = value.astype(np.float64)
    return Constant(name, tuple(tensor.dims), value)
