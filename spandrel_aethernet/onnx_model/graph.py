"""An ONNX graph to walk through: which node a tensor is an output of, which read it, what is constant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import OnnxError
from .nodes import Node, Product, QdqNode, is_onnx_domain, read_constants, read_nodes, type_name

if TYPE_CHECKING:
    from onnx import ModelProto

MOVES = frozenset(
    [
        *("Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Reshape"),
        *("Slice", "SpaceToDepth", "Split", "Squeeze", "Transpose", "Unsqueeze"),
    ]
)
"""Operators that only move values. Between DequantizeLinear and a product, or between QuantizeLinear and
DequantizeLinear, TensorRT for RTX runs them on int8; other operators there leave the product in float."""

_PRODUCTS = ("Conv", "MatMul", "Gemm")
_UINT8 = 2
_MOST_STEPS = 2_000_000
"""From tensor to tensor, for all questions together; a large network takes some thousand."""


class OnnxGraph:
    """The main graph of a model. Q/DQ nodes inside the bodies of If and Loop are not seen."""

    def __init__(self, model: ModelProto) -> None:
        """Index a model, which is not changed.

        Raises `OnnxError` if a tensor is damaged or lies in another file.
        """
        self.model = model
        self.opset = next((use.version for use in model.opset_import if is_onnx_domain(use.domain)), None)
        self.nodes = read_nodes(model.graph.node)
        self.stored = dict(read_constants(model, self.nodes))
        self._steps = 0
        self._producers = {name: node for node in self.nodes for name in node.outputs if name}
        self._readers: dict[str, list[tuple[Node, int]]] = {}
        for node in self.nodes:
            for slot, name in enumerate(node.inputs):
                self._readers.setdefault(name, []).append((node, slot))
        self._fixed = self._known_before_running()
        self._shapes = self._known_shapes()
        self._types = self._integer_types()
        self.qdq = [self._qdq(node) for node in self.nodes if node.is_qdq]
        self.products = [self._product(node) for node in self.nodes if node.op in _PRODUCTS and node.input(1)]

    def is_fixed(self, tensor: str) -> bool:
        """Tell whether a tensor is known before the network runs: stored, or computed from such ones."""
        return tensor in self._fixed

    def type_of(self, tensor: str) -> str | None:
        """Return ONNX's name of a tensor's type where the graph says it without inference."""
        return self._types.get(tensor)

    def producer(self, tensor: str) -> Node | None:
        """Return the node a tensor is an output of; None for a graph input or an initializer."""
        return self._producers.get(tensor)

    def readers(self, tensor: str) -> list[tuple[Node, int]]:
        """Return the nodes that read a tensor, each with the slot it is in."""
        return self._readers.get(tensor, [])

    def sources(self, tensor: str) -> list[Node | None]:
        """Return the nodes that a tensor's values come from, seen through `MOVES`; None for an input."""
        found: list[Node | None] = []
        pending, seen = [tensor], {tensor}
        while pending:
            self._step()
            node = self.producer(pending.pop())
            if node is None or node.op not in MOVES:
                found.append(node)
                continue
            new = [name for name in dict.fromkeys(node.moved) if name not in seen]
            seen.update(new)
            pending += new
        return found

    def users(self, tensor: str) -> Iterator[tuple[Node, int]]:
        """Yield the readers of a tensor's values, seen through `MOVES`."""
        pending, seen = [tensor], {tensor}
        while pending:
            for node, slot in self.readers(pending.pop()):
                self._step()
                if node.op in MOVES and node.input(slot) in node.moved:
                    pending += [name for name in node.outputs if name not in seen]
                    seen.update(node.outputs)
                else:
                    yield node, slot

    def dequantized_by(self, tensor: str) -> list[Node]:
        """Return the DequantizeLinear nodes all values of a tensor come from; none if some do not."""
        sources = self.sources(tensor)
        found = [node for node in sources if node and node.op == "DequantizeLinear"]
        return found if len(found) == len(sources) else []

    def is_quantized(self, product: Product) -> bool:
        """Tell whether both factors of a product come through DequantizeLinear."""
        return bool(self.dequantized_by(product.data) and self.dequantized_by(product.weight))

    def shape(self, tensor: str) -> tuple[int, ...] | None:
        """Return the shape of a stored tensor, also behind Q/DQ, Identity and Transpose."""
        return self._shapes.get(tensor)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise OnnxError("its nodes are too entangled to be followed: such files are refused")

    def _known_before_running(self) -> set[str]:
        fixed = set(self.stored)
        for node in self.nodes:
            inputs = [name for name in node.inputs if name]
            if inputs and fixed.issuperset(inputs):
                fixed.update(node.outputs)
        return fixed

    def _known_shapes(self) -> dict[str, tuple[int, ...]]:
        shapes = {name: constant.shape for name, constant in self.stored.items()}
        for node in self.nodes:
            shape = shapes.get(node.input(0))
            if shape is None:
                continue
            if node.is_qdq or node.op == "Identity":
                shapes[node.outputs[0]] = shape
            elif node.op == "Transpose":
                order: Sequence[int] = node.attributes.get("perm", range(len(shape))[::-1])
                shapes[node.outputs[0]] = tuple(shape[axis] for axis in order)
        return shapes

    def _integer_types(self) -> dict[str, str]:
        types = {entry.name: type_name(entry.type.tensor_type.elem_type) for entry in self.model.graph.input}
        types |= {name: constant.type for name, constant in self.stored.items()}
        for node in self.nodes:
            if node.op == "QuantizeLinear":
                default = type_name(node.attributes.get("output_dtype") or _UINT8)
                types[node.outputs[0]] = types.get(node.input(2), default)
            elif node.op == "Cast":
                types[node.outputs[0]] = type_name(node.attributes.get("to", 0))
            elif node.op in MOVES and node.input(0) in types:
                types |= dict.fromkeys(node.outputs, types[node.input(0)])
        return types

    def _qdq(self, node: Node) -> QdqNode:
        quantized = node.outputs[0] if node.op == "QuantizeLinear" else node.input(0)
        return QdqNode(
            node,
            stored=self.type_of(quantized) or self.type_of(node.input(2)),
            of_constant=self.is_fixed(node.input(0)),
            scale=self.stored.get(node.input(1)),
            zero_point=self.stored.get(node.input(2)),
        )

    def _product(self, node: Node) -> Product:
        slot = 0 if node.op == "MatMul" and self.is_fixed(node.input(0)) else 1
        weight = node.input(slot)
        return Product(node, node.input(1 - slot), weight, self._channel_axis(node, slot))

    def _channel_axis(self, node: Node, slot: int) -> int | None:
        rank = len(self.shape(node.input(slot)) or ())
        if rank < 2:
            return None
        if node.op == "MatMul":
            return rank - (1 if slot else 2)
        return 1 if node.op == "Gemm" and not node.attributes.get("transB") else 0
