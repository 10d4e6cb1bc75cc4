"""Float32 input and output around a graph that computes in another float type."""

from __future__ import annotations

import onnx
from onnx import NodeProto, TensorProto, helper


def with_float32_ends(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a model with one input and one output, both float32 under their names.

    A Cast follows the input and another one precedes the output, unless they are float32 already. What lies
    between stays as it is.
    """
    wrapped = onnx.ModelProto()
    wrapped.CopyFrom(model)
    graph = wrapped.graph
    (given,), (result,) = graph.input, graph.output
    inner = given.type.tensor_type.elem_type
    if inner == TensorProto.FLOAT:
        return wrapped
    renamed = {entry.name: f"{entry.name}.inner" for entry in (given, result)}
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = renamed.get(name, name)
    first = helper.make_node("Cast", [given.name], [renamed[given.name]], f"{given.name}.Cast", to=inner)
    last = helper.make_node(
        "Cast", [renamed[result.name]], [result.name], f"{result.name}.Cast", to=TensorProto.FLOAT
    )
    between = [NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend([first, *between, last])
    for entry in (given, result):
        entry.type.tensor_type.elem_type = TensorProto.FLOAT
    return wrapped
