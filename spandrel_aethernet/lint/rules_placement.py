"""Rules for where Q/DQ nodes stand in a graph (QDQ2xx)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..onnx_model.graph import OnnxGraph
from ..onnx_model.nodes import Node, Product, QdqNode
from .rule import Rule, Violation

_INTEGER_OPS = ("DynamicQuantizeLinear", "MatMulInteger", "ConvInteger")
_SUMS = ("Add", "Sum")


def integer_operator(graph: OnnxGraph) -> Iterator[Violation]:
    """INT8 is written as Q/DQ nodes around float operators.

    The parser refuses operators that compute in integers, such as QLinearConv and MatMulInteger.
    """
    for node in graph.nodes:
        if is_integer_operator(node.op):
            yield Violation(node.name, f"{node.op} computes in integers itself")


def is_integer_operator(op: str) -> bool:
    """Tell whether an operator computes in integers itself, in ONNX's domain or ONNX Runtime's."""
    name = op.rpartition(".")[2]
    return name in _INTEGER_OPS or name.startswith("QLinear")


def int8_constant(graph: OnnxGraph) -> Iterator[Violation]:
    """An int8 constant feeds DequantizeLinear directly.

    With Transpose, Concat or another operator between them, the parser takes the file and the builder
    refuses it: "Quantized constant is only allowed before DQ".
    """
    for name, constant in graph.stored.items():
        if constant.type != "INT8":
            continue
        for node, slot in graph.readers(name):
            dequantized = node.op == "DequantizeLinear" and slot == 0
            if not (dequantized or (node.is_qdq and slot == 2) or is_integer_operator(node.op)):
                yield Violation(
                    node.name, f"it reads the int8 constant {name} without a DequantizeLinear between them"
                )


def dangling(graph: OnnxGraph) -> Iterator[Violation]:
    """A DequantizeLinear follows every QuantizeLinear.

    TensorRT for RTX builds an engine without it, and accuracy is lost.
    """
    for part in graph.qdq:
        users = graph.users(part.node.outputs[0])
        if part.quantizes and not any(
            node.op == "DequantizeLinear" or is_integer_operator(node.op) for node, _ in users
        ):
            yield Violation(part.node.name, "no DequantizeLinear reads what it quantizes")


def unquantized_source(graph: OnnxGraph) -> Iterator[Violation]:
    """DequantizeLinear reads QuantizeLinear or a constant.

    TensorRT for RTX builds an engine for other inputs (a Cast to int8, a sum of int8 tensors) and runs the
    product in INT8. Nothing tells then whether the values were made with this scale.
    """
    for part in graph.qdq:
        if part.quantizes or part.of_constant or part.stored == "INT32":
            continue
        for source in graph.sources(part.node.input(0)):
            if source is None or not (source.op == "QuantizeLinear" or is_integer_operator(source.op)):
                what = f"the output of {source.name}" if source else "an input of the network"
                yield Violation(part.node.name, f"it dequantizes {what}, which no QuantizeLinear quantized")


def other_scale(graph: OnnxGraph) -> Iterator[Violation]:
    """Both nodes of a pair have the same scale.

    TensorRT for RTX builds an engine with two scales, which multiplies the values by their ratio.
    """
    quantizers = {part.node: part for part in graph.qdq if part.quantizes}
    for part in graph.qdq:
        if part.quantizes:
            continue
        for source in graph.sources(part.node.input(0)):
            partner = quantizers.get(source) if source else None
            if partner and _differ(part, partner):
                yield Violation(part.node.name, f"its scale is not the one of {partner.node.name}")


def weight_axis(graph: OnnxGraph) -> Iterator[Violation]:
    """The scales of a weight run along its output channels.

    That is axis 0 for a Conv and the last axis for the right side of a MatMul. The documentation says that
    other axes are refused. TensorRT for RTX builds them and runs the product in float.
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
            yield Violation(
                part.node.name,
                f"its scales run along axis {part.axis} of the weight of {product.node.name}, "
                f"whose output channels are axis {axis}",
            )


def only_weight(graph: OnnxGraph) -> Iterator[Violation]:
    """Where a weight is quantized, the input it is multiplied with is quantized too.

    With only the weight quantized, the product runs in float.
    """
    for product in graph.products:
        if graph.dequantized_by(product.weight) and not graph.dequantized_by(product.data):
            yield Violation(product.node.name, "its weight is quantized, its input is not")


def only_input(graph: OnnxGraph) -> Iterator[Violation]:
    """Where an input is quantized, the weight it is multiplied with is quantized too.

    With only the input quantized, the product runs in float. What an INT8 product quantized for itself, as
    ONNX Runtime needs it, may be read by others.
    """
    products = {product.node: product for product in graph.products}
    own = {
        part.node
        for part in graph.qdq
        if not part.quantizes and any(map(graph.is_quantized, _quantized_outputs_of(graph, part, products)))
    }
    for product in graph.products:
        before = graph.dequantized_by(product.data)
        if before and not own.issuperset(before) and not graph.dequantized_by(product.weight):
            yield Violation(product.node.name, "its input is quantized, its weight is not")


def residual_sum(graph: OnnxGraph) -> Iterator[Violation]:
    """A residual sum stays in float, or only its skipped branch is quantized.

    With all branches quantized, the product before the sum stays INT8 and its output is rounded once more.
    """
    for node in graph.nodes:
        branches = [name for name in node.inputs if not graph.is_fixed(name)]
        if node.op in _SUMS and len(branches) > 1 and all(map(graph.dequantized_by, branches)):
            yield Violation(node.name, "all the branches it adds are quantized")


def misplaced(graph: OnnxGraph) -> Iterator[Violation]:
    """Q/DQ nodes stand before Conv, MatMul or Gemm.

    Elsewhere (on outputs only, around LayerNorm or GELU) they round values and make nothing INT8. Two other
    places are allowed: the output of a product that is INT8 itself, as ONNX Runtime needs it, and the
    skipped branch of a residual sum.
    """
    products = {product.node: product for product in graph.products}
    for part in graph.qdq:
        if part.quantizes or part.of_constant or not graph.readers(part.node.outputs[0]):
            continue
        users = list(graph.users(part.node.outputs[0]))
        readers = [node for node, _ in users if node in products or is_integer_operator(node.op)]
        if readers or any(
            source and is_integer_operator(source.op) for source in graph.sources(part.node.input(0))
        ):
            continue
        outputs_of = _quantized_outputs_of(graph, part, products)
        skipped = not outputs_of and any(node.op in _SUMS for node, _ in users)
        if not skipped and not (outputs_of and all(map(graph.is_quantized, outputs_of))):
            what = ", ".join(dict.fromkeys(node.op for node, _ in users))
            yield Violation(part.node.name, f"it feeds only {what or 'an output'}: no Conv, MatMul or Gemm")


def quantized_twice(graph: OnnxGraph) -> Iterator[Violation]:
    """A tensor is quantized once for all its readers.

    TensorRT for RTX builds an engine for several pairs, which rounds once more for each other scale. Pairs
    that differ in their axis, which means nothing to one scale, are meant to be several: ONNX Runtime has
    integer kernels for products that do not share a pair.
    """
    for name in dict.fromkeys(part.node.input(0) for part in graph.qdq if not part.of_constant):
        quantizers = [node for node, _ in graph.readers(name) if node.op == "QuantizeLinear"]
        axes = [node.attributes.get("axis") for node in quantizers]
        if None not in axes and len(set(axes)) == len(axes):
            continue
        for node in quantizers[1:]:
            yield Violation(node.name, f"it quantizes {name}, as {quantizers[0].name} does already")


def _behind_transposes(graph: OnnxGraph, tensor: str, axis: int) -> tuple[str, int]:
    """Follow an axis of a tensor back through Identity and Transpose."""
    for _ in graph.nodes:  # and no longer: a damaged graph can turn in a circle
        node = graph.producer(tensor)
        if node is None or node.op not in ("Identity", "Transpose"):
            break
        if node.op == "Transpose":
            shape = graph.shape(node.input(0)) or ()
            axis = node.attributes.get("perm", range(len(shape))[::-1])[axis]
        tensor = node.input(0)
    return tensor, axis


def _differ(one: QdqNode, other: QdqNode) -> bool:
    if not one.scale or not other.scale or one.scale.value is None or other.scale.value is None:
        return False
    return not np.array_equal(one.scale.value.ravel(), other.scale.value.ravel(), equal_nan=True)


def _quantized_outputs_of(graph: OnnxGraph, part: QdqNode, products: dict[Node, Product]) -> list[Product]:
    """Return the products whose output a DequantizeLinear's values were, before they were quantized."""
    quantizers = [node for node in graph.sources(part.node.input(0)) if node and node.op == "QuantizeLinear"]
    sources = [source for node in quantizers for source in graph.sources(node.input(0))]
    return [products[source] for source in sources if source in products]


_IN_FLOAT = "leave its input in float, or quantize both its input and its weight"
_ONE_PAIR = "let one QuantizeLinear/DequantizeLinear pair feed every reader"

RULES = (
    Rule("QDQ201", "error", integer_operator, "export with QuantizeLinear and DequantizeLinear (QDQ format)"),
    Rule(
        "QDQ202", "error", int8_constant, "store it as it is read, and let DequantizeLinear read it directly"
    ),
    Rule("QDQ203", "warning", dangling, "let a DequantizeLinear with its scale follow, or take it out"),
    Rule("QDQ204", "warning", unquantized_source, "put a QuantizeLinear with the same scale before it"),
    Rule("QDQ205", "warning", other_scale, "give both nodes of the pair the same scale"),
    Rule("QDQ206", "warning", weight_axis, "give one scale for each output channel and name their axis"),
    Rule("QDQ207", "warning", only_weight, "quantize its input too, or leave its weight in float"),
    Rule("QDQ208", "warning", only_input, _IN_FLOAT),
    Rule("QDQ209", "warning", residual_sum, "leave the sum in float, or quantize one branch only"),
    Rule("QDQ210", "warning", misplaced, "take the pair out: quantize the inputs of Conv and MatMul"),
    Rule("QDQ211", "warning", quantized_twice, _ONE_PAIR),
)
