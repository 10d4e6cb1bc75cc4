"""How much an ONNX model from outside may ask for before any of it is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..errors import OnnxError
from ..gate.limits import DEPTH, FILE_BYTES, NODES
from .tensors import Body, bodies, check_tensors

if TYPE_CHECKING:
    from onnx import FunctionProto, ModelProto

_Key: TypeAlias = tuple[str, str, str]


class _Size(NamedTuple):
    nodes: int
    bytes: int


class _Function(NamedTuple):
    calls: list[_Key]
    """Of any operator; those that are no function of the file count as one node."""
    bytes: int


def check_bounds(model: ModelProto) -> None:
    """Raise `OnnxError` for a model in memory that holds less than it announces, or unfolds to too much.

    That is a tensor with less data than its shape has; graphs or functions more than `DEPTH` deep in one
    another, functions that call themselves among them; and more than `NODES` operators once every function is
    put where it is called.
    """
    found = bodies(model)
    for body in found:
        check_tensors(body)
    main, rest = found[0], found[1:]
    functions = {
        _name(function): _Function(_calls(body), function.ByteSize())
        for function, body in zip(model.functions, rest, strict=False)
    }
    unfolded = _Unfolding(functions)
    sizes = [unfolded.size(key) for key in functions]  # also of those that nothing calls
    whole = unfolded.sum(_calls(main), 0)
    if max([whole.nodes, *(size.nodes for size in sizes)]) > NODES.value:
        raise OnnxError(
            f"it unfolds to more than {NODES.value} operators: "
            f"set {NODES.variable} in the environment if it is what it should be"
        )
    if max([whole.bytes, *(size.bytes for size in sizes)]) > FILE_BYTES.value:
        raise OnnxError(f"its functions unfold to more than {FILE_BYTES.value} bytes: such files are refused")


class _Unfolding:
    """Sizes of functions with all that they call, each found once."""

    def __init__(self, functions: Mapping[_Key, _Function]) -> None:
        self._functions = functions
        self._known: dict[_Key, _Size] = {}

    def size(self, key: _Key, depth: int = 0) -> _Size:
        """Return the size of one call. Raises `OnnxError` for calls too deep in one another."""
        function = self._functions.get(key)
        if function is None:
            return _Size(1, 0)
        if key not in self._known:
            if depth > DEPTH.value:
                raise OnnxError(
                    f"its functions call one another more than {DEPTH.value} deep, or in a circle: "
                    "such files are refused"
                )
            inner = self.sum(function.calls, depth + 1)
            self._known[key] = _Size(inner.nodes, inner.bytes + function.bytes)
        return self._known[key]

    def sum(self, calls: list[_Key], depth: int) -> _Size:
        sizes = [self.size(key, depth) for key in calls]
        return _Size(sum(size.nodes for size in sizes), sum(size.bytes for size in sizes))


def _name(function: FunctionProto) -> _Key:
    return _domain(function.domain), function.name, function.overload


def _calls(body: Body) -> list[_Key]:
    return [(_domain(node.domain), node.op_type, node.overload) for node in body.nodes]


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain
