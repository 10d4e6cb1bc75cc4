"""Q/DQ nodes into a float graph, found by the names of its weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from .scales import OpScales
from .simulate import quantized_weight


def insert_qdq(model: onnx.ModelProto, scales: Sequence[OpScales]) -> onnx.ModelProto:
    """Return a copy of a float model whose planned operators read int8.

    Each input goes through one QuantizeLinear and one DequantizeLinear, which operators with one input and
    one scale share, unless they are parts of one: ONNX Runtime makes no integer kernels of products that
    share a pair, and one of pairs that are alike. Each weight becomes an int8 initializer with one
    DequantizeLinear, one scale per output channel. All zero points are 0. Scales have the model's float
    type, and so has everything that is not quantized.
    """
    quantized = onnx.ModelProto()
    quantized.CopyFrom(model)
    graph = quantized.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    planned = {f"{entry.op.module}.weight": entry for entry in scales}
    float_type = graph.input[0].type.tensor_type.elem_type
    nodes: list[NodeProto] = []
    pairs: dict[tuple[str, float, int | None], str] = {}
    for node in graph.node:
        name = node.input[1] if len(node.input) > 1 else ""
        if name in planned:
            entry = planned[name]
            stored = torch.from_numpy(numpy_helper.to_array(weights[name]).astype(np.float32))
            weights[name].CopyFrom(numpy_helper.from_array(quantized_weight(stored, entry).numpy(), name))
            shared = node.input[0], entry.input_scale, entry.op.place
            if shared not in pairs:
                nodes += _activation_pair(graph, node.input[0], entry, float_type)
                pairs[shared] = nodes[-1].output[0]
            nodes.append(_weight_node(graph, name, entry, float_type))
            node.input[0], node.input[1] = pairs[shared], nodes[-1].output[0]
            if entry.output_scale is not None:
                nodes += [node, *_output_pair(graph, node, entry, float_type)]
                continue
        nodes.append(node)
    ordered = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(ordered)
    return quantized


def _activation_pair(
    graph: onnx.GraphProto, tensor: str, entry: OpScales, float_type: int
) -> list[NodeProto]:
    name = f"{entry.op.module}.input"
    back = f"{name}.dequantised"  # names in files stay as they were spelled
    nodes = _pair(graph, name, entry.input_scale, float_type, tensor, back)
    if entry.op.place is not None:
        # With one scale the axis has no meaning: it only tells the pairs of parts from each other.
        for node in nodes:
            node.attribute.append(helper.make_attribute("axis", entry.op.place))
    return nodes


def _output_pair(
    graph: onnx.GraphProto, node: NodeProto, entry: OpScales, float_type: int
) -> list[NodeProto]:
    """Return a pair that ends where the node ended, and let the node end before it."""
    assert entry.output_scale is not None
    end, name = node.output[0], f"{entry.op.module}.output"
    node.output[0] = f"{name}.float"
    return _pair(graph, name, entry.output_scale, float_type, node.output[0], end)


def _pair(
    graph: onnx.GraphProto, name: str, value: float, float_type: int, start: str, end: str
) -> list[NodeProto]:
    scale, zero, between = f"{name}.scale", f"{name}.zero_point", f"{name}.quantised"
    _add_scale(graph, scale, np.array(value, np.float32), float_type)
    graph.initializer.append(helper.make_tensor(zero, TensorProto.INT8, [], [0]))
    return [
        helper.make_node("QuantizeLinear", [start, scale, zero], [between], f"{name}.QuantizeLinear"),
        helper.make_node("DequantizeLinear", [between, scale, zero], [end], f"{name}.DequantizeLinear"),
    ]


def _weight_node(graph: onnx.GraphProto, name: str, entry: OpScales, float_type: int) -> NodeProto:
    scale, zero = f"{name}.scale", f"{name}.zero_point"
    count = len(entry.weight_scale)
    _add_scale(graph, scale, entry.weight_scale.numpy(), float_type)
    graph.initializer.append(helper.make_tensor(zero, TensorProto.INT8, [count], [0] * count))
    return helper.make_node(
        "DequantizeLinear",
        [name, scale, zero],
        [f"{name}.dequantised"],
        f"{name}.DequantizeLinear",
        axis=entry.weight_axis,
    )


def _add_scale(graph: onnx.GraphProto, name: str, value: NDArray[np.float32], float_type: int) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(float_type)
    graph.initializer.append(numpy_helper.from_array(value.astype(dtype), name))
