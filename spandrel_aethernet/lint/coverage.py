"""How much of a network's arithmetic runs in INT8."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..onnx_model.graph import OnnxGraph
from ..onnx_model.infer_shapes import infer_shapes
from ..onnx_model.nodes import Product

NOMINAL_SIDE = 256
"""Height and width for which multiply-adds are counted, where the file leaves them open; the batch is 1."""
_MOST_WORK = 2**63 - 1
"""Multiply-adds of one operator; more are no network's."""
_MOST_AXES = 64


@dataclass(frozen=True)
class Share:
    """What all operators of a kind do, and what those in INT8 do."""

    operators: int = 0
    int8_operators: int = 0
    multiply_adds: int = 0
    int8_multiply_adds: int = 0

    @property
    def ratio(self) -> float | None:
        """The part of the multiply-adds that is INT8, 0..1; None if there are none."""
        return self.int8_multiply_adds / self.multiply_adds if self.multiply_adds else None

    def __add__(self, other: Share) -> Share:
        return Share(
            self.operators + other.operators,
            self.int8_operators + other.int8_operators,
            self.multiply_adds + other.multiply_adds,
            self.int8_multiply_adds + other.int8_multiply_adds,
        )


@dataclass(frozen=True)
class Coverage:
    """The multiply-adds of every Conv, MatMul and Gemm for one input of 1 x C x 256 x 256."""

    by_kind: Mapping[str, Share]
    """Keyed by `Conv`, `depthwise Conv`, `MatMul` and `Gemm`, those there are."""
    unknown: tuple[str, ...]
    """Operators left out because shape inference gives them no size, or the model is not valid."""

    @property
    def total(self) -> Share:
        """All kinds together."""
        return sum(self.by_kind.values(), Share())


def int8_coverage(graph: OnnxGraph, float_nodes: Collection[str] = ()) -> Coverage:
    """Count the multiply-adds whose factors both come through DequantizeLinear.

    `float_nodes` names Q/DQ nodes for which TensorRT falls back to float; products they feed do not count
    as INT8. Axes that the file leaves open are taken as 1 for the batch and `NOMINAL_SIDE` elsewhere.
    """
    tensors = infer_shapes(graph.model, (1, NOMINAL_SIDE))
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    by_kind: dict[str, Share] = {}
    unknown: list[str] = []
    for product in graph.products:
        data, weight = shapes.get(product.data), shapes.get(product.weight)
        output = shapes.get(product.node.outputs[0])
        work = _work(product, data, weight, output) if data and weight and output is not None else None
        if work is None or weight is None:
            unknown.append(product.node.name)
            continue
        sources = [*graph.dequantized_by(product.data), *graph.dequantized_by(product.weight)]
        int8 = graph.is_quantized(product) and not any(node.name in float_nodes for node in sources)
        kind = _kind(product, weight)
        by_kind[kind] = by_kind.get(kind, Share()) + Share(1, int(int8), work, work * int8)
    return Coverage(by_kind, tuple(unknown))


def uncounted(graph: OnnxGraph) -> Coverage:
    """Return the coverage of a graph whose shapes cannot be inferred."""
    return Coverage({}, tuple(product.node.name for product in graph.products))


def _kind(product: Product, weight: tuple[int, ...]) -> str:
    grouped = product.node.op == "Conv" and product.node.attributes.get("group", 1) > 1
    depthwise = grouped and weight[1:2] == (1,)
    return "depthwise Conv" if depthwise else product.node.op


def _work(
    product: Product, data: tuple[int, ...], weight: tuple[int, ...], output: tuple[int, ...]
) -> int | None:
    """Return the multiply-adds of a product; None for shapes that no product has."""
    if max(map(len, (data, weight, output))) > _MOST_AXES or (product.node.op == "Gemm" and len(data) != 2):
        return None
    work = math.prod(output) * _work_per_value(product, data, weight)
    return work if 0 <= work <= _MOST_WORK else None


def _work_per_value(product: Product, data: tuple[int, ...], weight: tuple[int, ...]) -> int:
    """Return how many multiply-adds one value of the output takes."""
    if product.node.op == "Conv":
        return math.prod(weight[1:])
    if product.node.op == "Gemm":
        return data[0 if product.node.attributes.get("transA") else 1]
    return data[-1] if product.data == product.node.input(0) else weight[-1]
