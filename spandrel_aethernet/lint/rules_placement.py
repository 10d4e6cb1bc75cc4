"""Rules for where Q/DQ nodes stand in a graph (QDQ2xx).

The docstrings say what TensorRT for RTX 1.7 did with a graph that breaks the rule.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..onnx_model.graph import LintGraph
from ..onnx_model.nodes import Node, Product, QdqNode
from .rule import Hit, Rule

_INTEGER_OPS = ("DynamicQuantizeLinear", "MatMulInteger", "ConvInteger")
_SUMS = ("Add", "Sum")


def integer_operator(graph: LintGraph) -> Iterator[Hit]:
    """INT8 is written as Q/DQ around float operators: the parser refuses integer operators."""
    for node in graph.nodes:
        if is_integer_operator(node.op):
            yield Hit(node.name, f"{node.op} computes in integers itself")


def is_integer_operator(op: str) -> bool:
    """Tell whether an operator is quantised by itself, in ONNX's domain or ONNX Runtime's."""
    name = op.rpartition(".")[2]
    return name in _INTEGER_OPS or name.startswith("QLinear")


def int8_constant(graph: LintGraph) -> Iterator[Hit]:
    """An int8 constant feeds DequantizeLinear directly.

    Through Transpose, Concat or anything else it is parsed, and the build fails: "Quantized constant
    is only allowed before DQ".
    """
    for name, constant in graph.stored.items():
        if constant.type != "INT8":
            continue
        for node, slot in graph.readers(name):
            dequantised = node.op == "DequantizeLinear" and slot == 0
            if not (dequantised or (node.is_qdq and slot == 2) or is_integer_operator(node.op)):
                yield Hit(
                    node.name, f"it reads the int8 constant {name}, which no DequantizeLinear made a float"
                )


def dangling(graph: LintGraph) -> Iterator[Hit]:
    """Every QuantizeLinear reaches a DequantizeLinear; an engine is built without, and accuracy is lost."""
    for part in graph.qdq:
        users = graph.users(part.node.outputs[0])
        if part.quantises and not any(
            node.op == "DequantizeLinear" or is_integer_operator(node.op) for node, _ in users
        ):
            yield Hit(part.node.name, "no DequantizeLinear reads what it quantises")


def unquantised_source(graph: LintGraph) -> Iterator[Hit]:
    """DequantizeLinear reads QuantizeLinear or a constant.

    TensorRT for RTX builds an engine for others (a Cast to int8, a sum of int8 tensors) and runs the
    product on int8, but only the pair tells that the scale was meant.
    """
    for part in graph.qdq:
        if part.quantises or part.of_constant or part.stored == "INT32":
            continue
        for source in graph.sources(part.node.input(0)):
            if source is None or not (source.op == "QuantizeLinear" or is_integer_operator(source.op)):
                what = f"what {source.name} makes" if source else "an input of the network"
                yield Hit(part.node.name, f"it dequantises {what}, which no QuantizeLinear quantised")


def other_scale(graph: LintGraph) -> Iterator[Hit]:
    """Both nodes of a pair have one scale; an engine is built with two, and multiplies by their ratio."""
    quantisers = {part.node: part for part in graph.qdq if part.quantises}
    for part in graph.qdq:
        if part.quantises:
            continue
        for source in graph.sources(part.node.input(0)):
            partner = quantisers.get(source) if source else None
            if partner and _differ(part, partner):
                yield Hit(part.node.name, f"its scale is not the one of {partner.node.name}")


def weight_axis(graph: LintGraph) -> Iterator[Hit]:
    """A weight's scales run along its output channels: axis 0 of a Conv, the last of a MatMul's right side.

    The documentation says that other axes are refused. TensorRT for RTX builds them, and runs the
    product in float.
    """
    parts = {part.node.outputs[0]: part for part in graph.qdq}
    for product in graph.products:
        if product.channel_axis is None:
            continue
        tensor, axis = _behind_transposes(graph, product.weight, product.channel_axis)
        part, shape = parts.get(tensor), graph.shape(tensor)
        if not part or not part.scale or not shape or len(part.scale.shape) != 1 or part.scale.shape == (1,):
            continue
        if part.axis % len(shape) != axis:
            yield Hit(
                part.node.name,
                f"its scales run along axis {part.axis} of the weight of {product.node.name}, "
                f"whose output channels are axis {axis}",
            )


def only_weight(graph: LintGraph) -> Iterator[Hit]:
    """Both factors are quantised: with only the weight quantised the product runs in float."""
    for product in graph.products:
        if graph.dequantised_by(product.weight) and not graph.dequantised_by(product.data):
            yield Hit(product.node.name, "its weight is quantised, its input is not")


def only_input(graph: LintGraph) -> Iterator[Hit]:
    """Both factors are quantised: with only the input quantised the product runs in float."""
    for product in graph.products:
        if graph.dequantised_by(product.data) and not graph.dequantised_by(product.weight):
            yield Hit(product.node.name, "its input is quantised, its weight is not")


def residual_sum(graph: LintGraph) -> Iterator[Hit]:
    """A residual sum stays in float, or quantises the skipped branch only.

    With all branches quantised the product before it stays INT8, and what it adds is rounded once more.
    """
    for node in graph.nodes:
        branches = [name for name in node.inputs if not graph.is_fixed(name)]
        if node.op in _SUMS and len(branches) > 1 and all(map(graph.dequantised_by, branches)):
            yield Hit(node.name, "all the branches it adds are quantised")


def misplaced(graph: LintGraph) -> Iterator[Hit]:
    """Q/DQ stands before Conv, MatMul or Gemm.

    Elsewhere (on outputs only, around LayerNorm or GELU) it rounds and makes nothing INT8. The output
    of a product that is INT8 itself may be quantised too, as ONNX Runtime wants it, and so may the
    skipped branch of a residual sum.
    """
    products = {product.node: product for product in graph.products}
    for part in graph.qdq:
        if part.quantises or part.of_constant or not graph.readers(part.node.outputs[0]):
            continue
        users = list(graph.users(part.node.outputs[0]))
        readers = [node for node, _ in users if node in products or is_integer_operator(node.op)]
        if readers or any(
            source and is_integer_operator(source.op) for source in graph.sources(part.node.input(0))
        ):
            continue
        made_by = _quantised_outputs_of(graph, part, products)
        skipped = not made_by and any(node.op in _SUMS for node, _ in users)
        if not skipped and not (made_by and all(map(graph.is_quantised, made_by))):
            what = ", ".join(dict.fromkeys(node.op for node, _ in users))
            yield Hit(part.node.name, f"it feeds only {what or 'an output'}: no Conv, MatMul or Gemm")


def quantised_twice(graph: LintGraph) -> Iterator[Hit]:
    """A tensor is quantised once, whoever reads it; an engine is built, and rounds again for other scales."""
    for name in dict.fromkeys(part.node.input(0) for part in graph.qdq if not part.of_constant):
        quantisers = [node for node, _ in graph.readers(name) if node.op == "QuantizeLinear"]
        for node in quantisers[1:]:
            yield Hit(node.name, f"it quantises {name}, as {quantisers[0].name} does already")


def _behind_transposes(graph: LintGraph, tensor: str, axis: int) -> tuple[str, int]:
    """Follow an axis of a tensor back through Identity and Transpose."""
    while (node := graph.maker(tensor)) and node.op in ("Identity", "Transpose"):
        if node.op == "Transpose":
            shape = graph.shape(node.input(0)) or ()
            axis = node.attributes.get("perm", range(len(shape))[::-1])[axis]
        tensor = node.input(0)
    return tensor, axis


def _differ(one: QdqNode, other: QdqNode) -> bool:
    if not one.scale or not other.scale or one.scale.value is None or other.scale.value is None:
        return False
    return not np.array_equal(one.scale.value.ravel(), other.scale.value.ravel(), equal_nan=True)


def _quantised_outputs_of(graph: LintGraph, part: QdqNode, products: dict[Node, Product]) -> list[Product]:
    """Return the products whose output a DequantizeLinear's values were, before they were quantised."""
    quantisers = [node for node in graph.sources(part.node.input(0)) if node and node.op == "QuantizeLinear"]
    makers = [maker for node in quantisers for maker in graph.sources(node.input(0))]
    return [products[maker] for maker in makers if maker in products]


_IN_FLOAT = "leave its input in float, or quantise both its input and its weight"
_ONE_PAIR = "let one QuantizeLinear/DequantizeLinear pair feed every reader"

RULES = (
    Rule("QDQ201", "error", integer_operator, "export with QuantizeLinear and DequantizeLinear (QDQ format)"),
    Rule(
        "QDQ202", "error", int8_constant, "store it as it is read, and let DequantizeLinear read it directly"
    ),
    Rule("QDQ203", "warning", dangling, "let a DequantizeLinear with its scale follow, or take it out"),
    Rule("QDQ204", "warning", unquantised_source, "put a QuantizeLinear with the same scale before it"),
    Rule("QDQ205", "warning", other_scale, "give both nodes of the pair the same scale"),
    Rule("QDQ206", "warning", weight_axis, "give one scale for each output channel and name their axis"),
    Rule("QDQ207", "warning", only_weight, "quantise its input too, or leave its weight in float"),
    Rule("QDQ208", "warning", only_input, _IN_FLOAT),
    Rule("QDQ209", "warning", residual_sum, "leave the sum in float, or quantise one branch only"),
    Rule("QDQ210", "warning", misplaced, "take the pair out: quantise the inputs of Conv and MatMul"),
    Rule("QDQ211", "warning", quantised_twice, _ONE_PAIR),
)
