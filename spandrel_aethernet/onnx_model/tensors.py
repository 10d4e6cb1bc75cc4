"""Every tensor of an ONNX model, wherever it is stored, and what its declared shape takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import OnnxError
from ..gate.limits import DEPTH, VALUES

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

_BITS = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((25, 26), 2),
    15: 128,
}
"""How many bits a value takes, by ONNX's number of its type; text and later types are not here."""
_TEXT = 8
_FIELDS = {
    **dict.fromkeys((1, 14), "float_data"),
    **dict.fromkeys((7,), "int64_data"),
    **dict.fromkeys((11, 15), "double_data"),
    **dict.fromkeys((12, 13), "uint64_data"),
    _TEXT: "string_data",
}
"""Where values lie that are no raw bytes; those of all other types lie in `int32_data`."""
_COMPLEX = (14, 15)
_MOST_AXES = 64
"""As NumPy has."""


@dataclass
class Body:
    """The nodes of a graph or a function, those of the graphs inside its nodes included."""

    nodes: list[NodeProto] = field(default_factory=list["NodeProto"])
    tensors: list[TensorProto] = field(default_factory=list["TensorProto"])
    sparse: list[SparseTensorProto] = field(default_factory=list["SparseTensorProto"])

    def add_graph(self, graph: GraphProto, depth: int = 0) -> None:
        """Add what a graph holds. Raises `OnnxError` for graphs more than `DEPTH` deep in one another."""
        if depth > DEPTH.value:
            raise OnnxError(f"its graphs are nested more than {DEPTH.value} deep: such files are refused")
        self.tensors += graph.initializer
        self.sparse += graph.sparse_initializer
        self.add_nodes(graph.node, depth)

    def add_nodes(self, nodes: Sequence[NodeProto], depth: int = 0) -> None:
        """Add nodes and what their attributes hold."""
        self.nodes += nodes
        for node in nodes:
            self.add_attributes(node.attribute, depth)

    def add_attributes(self, attributes: Sequence[AttributeProto], depth: int = 0) -> None:
        """Add what attributes hold, whatever type they say they have."""
        for attribute in attributes:
            if attribute.HasField("t"):
                self.tensors.append(attribute.t)
            if attribute.HasField("sparse_tensor"):
                self.sparse.append(attribute.sparse_tensor)
            if attribute.HasField("g"):
                self.add_graph(attribute.g, depth + 1)
            self.tensors += attribute.tensors
            self.sparse += attribute.sparse_tensors
            for graph in attribute.graphs:
                self.add_graph(graph, depth + 1)

    def all_tensors(self) -> Iterator[TensorProto]:
        """Yield the tensors, those that sparse ones consist of too."""
        yield from self.tensors
        for sparse in self.sparse:
            yield from (sparse.values, sparse.indices)


def bodies(model: ModelProto) -> list[Body]:
    """Return the main graph's body, then those of the functions in their order, then training's.

    Raises `OnnxError` for graphs more than `DEPTH` deep in one another.
    """
    found = [Body()]
    found[0].add_graph(model.graph)
    for function in model.functions:
        found.append(Body())
        found[-1].add_nodes(function.node)
        found[-1].add_attributes(function.attribute_proto)
    for training in model.training_info:
        found.append(Body())
        found[-1].add_graph(training.initialization)
        found[-1].add_graph(training.algorithm)
    return found


def check_tensors(body: Body) -> None:
    """Raise `OnnxError` for the first tensor that announces more values than it holds.

    Tensors that lie in another file are passed over.
    """
    for tensor in body.all_tensors():
        if tensor.data_location != tensor.EXTERNAL and not is_filled(tensor):
            raise OnnxError(
                f"{tensor.name or 'a tensor'} is damaged: its data do not fill its shape, export it again"
            )
    for sparse in body.sparse:
        count = values_in(sparse.dims)
        if count is None or count > VALUES.value:
            raise OnnxError(
                f"{sparse.values.name or 'a sparse tensor'} announces more than {VALUES.value} values: "
                "such sparse tensors are refused"
            )


def is_filled(tensor: TensorProto) -> bool:
    """Tell whether a tensor holds as many values as its shape has."""
    count, bits = values_in(tensor.dims), _BITS.get(tensor.data_type)
    if count is None:
        return False
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data) * 8 >= count * (bits or 1)
    entries = len(getattr(tensor, _FIELDS.get(tensor.data_type, "int32_data")))
    if tensor.data_type in _COMPLEX:
        return entries >= count * 2
    return entries * (8 // bits if bits and bits < 8 else 1) >= count


def byte_count(tensor: TensorProto) -> int | None:
    """Return how many bytes a tensor's values take; None if its shape or its type does not tell."""
    count, bits = values_in(tensor.dims), _BITS.get(tensor.data_type)
    return None if count is None or bits is None else -(-count * bits // 8)


def values_in(dims: Sequence[int]) -> int | None:
    """Return how many values a stored shape has; None for one that no tensor has."""
    return None if len(dims) > _MOST_AXES or min(dims, default=0) < 0 else math.prod(dims)
