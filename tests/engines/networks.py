"""Small ONNX networks that TensorRT builds in a fraction of a second, and one that keeps it busy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ..lint.draft import Draft

OPEN: tuple[str | int, ...] = ("batch", 3, "height", "width")


def upscaler(
    path: Path,
    dtype: type[np.floating] = np.float32,
    *,
    product: bool = False,
    int8: bool = False,
    shape: Sequence[str | int] = OPEN,
    input_name: str = "input",
    seed: int = 0,
) -> Path:
    """Write a 2x network of one Conv or one MatMul, with Q/DQ nodes if `int8`, and DepthToSpace."""
    channels = int(shape[1])
    features = 4 * channels
    size = (channels, features) if product else (features, channels, 3, 3)
    weight: NDArray[Any] = np.random.default_rng(seed).normal(0, 0.1, size)
    stored: dict[str, NDArray[Any]] = {"weight": weight.astype(dtype)}
    nodes: list[NodeProto] = []
    x, kernel = input_name, "weight"
    if int8:
        stored = {
            "weight": np.clip(np.round(weight * 100), -127, 127).astype(np.int8),
            "weight_scale": np.full(features, 0.01, dtype),
            "weight_zero": np.zeros(features, np.int8),
            "scale": np.asarray(1 / 127, dtype),
            "zero": np.asarray(0, np.int8),
        }
        dequantize = ["weight", "weight_scale", "weight_zero"]
        nodes += [
            helper.make_node("QuantizeLinear", [x, "scale", "zero"], ["q"], name="quantize"),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["dq"], name="dequantize"),
            helper.make_node("DequantizeLinear", dequantize, ["w"], name="weights", axis=int(product)),
        ]
        x, kernel = "dq", "w"
    if product:
        nodes += [
            helper.make_node("Transpose", [x], ["rows"], name="to_rows", perm=[0, 2, 3, 1]),
            helper.make_node("MatMul", ["rows", kernel], ["product"], name="product"),
            helper.make_node("Transpose", ["product"], ["features"], name="from_rows", perm=[0, 3, 1, 2]),
        ]
    else:
        nodes.append(helper.make_node("Conv", [x, kernel], ["features"], name="convolution", pads=[1] * 4))
    nodes.append(helper.make_node("DepthToSpace", ["features"], ["output"], name="shuffle", blocksize=2))
    number = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        nodes,
        "upscaler",
        [helper.make_tensor_value_info(input_name, number, list(shape))],
        [helper.make_tensor_value_info("output", number, ["n", channels, "h", "w"])],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    opset = 20 if int8 and dtype is np.float16 else 17
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.save(model, path)
    return path


def deep(path: Path, blocks: int) -> Path:
    """Write a network of 8 channels that TensorRT for RTX compiles in one step, about 60 blocks a second."""
    draft = Draft()
    x = draft.conv("input", draft.floats(48, 8, 3, 3))
    for _ in range(blocks):
        rows = draft.node("Erf", draft.node("MatMul", draft.rows(x), draft.floats(48, 48)))
        columns = draft.node("Transpose", rows, perm=[0, 3, 1, 2])
        x = draft.node("Add", x, draft.conv(columns, draft.floats(48, 48, 3, 3)))
    onnx.save(draft.model(x), path)
    return path


def with_unknown_operator(path: Path) -> Path:
    """Write a network with an operator that ONNX has and TensorRT's parser does not take."""
    nodes = [
        helper.make_node("Bernoulli", ["input"], ["chance"], name="odd_one"),
        helper.make_node("DepthToSpace", ["chance"], ["output"], name="shuffle", blocksize=2),
    ]
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
        for name, shape in (("input", ("n", 4, "h", "w")), ("output", ("n", 1, "h2", "w2")))
    ]
    graph = helper.make_graph(nodes, "odd", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path
