"""How many products of two numbers a network adds up for each pixel that goes in."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..model.base import AetherBase

_SIDE = 64
"""Of the image that is counted on: a multiple of what any network cuts its input into."""


def of_network(network: AetherBase) -> float:
    """Return the multiply-adds of convolutions and matrix products, by PyTorch's own counter.

    Counted by shapes alone, on PyTorch's `meta` device; the network stays as it is.
    """
    shapes = copy.deepcopy(network).to("meta")
    image = torch.empty((1, network.in_chans, _SIDE, _SIDE), device="meta")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        shapes(image)
    return counter.get_total_flops() / 2 / _SIDE**2


def of_onnx(path: Path) -> float | None:
    """Return the multiply-adds of Conv, Gemm and MatMul, and their integer kin; None if shapes are unknown.

    Raises `OnnxError` as `read_onnx` does, and `MissingPackageError` without the package `onnx`.
    """
    from ..onnx_model.infer_shapes import infer_shapes
    from ..onnx_model.read import read_model

    model = read_model(path)
    types = infer_shapes(model, (1, 3, _SIDE, _SIDE))
    entry = types.get(model.graph.input[0].name)
    if entry is None or entry.shape is None:
        return None
    total = 0
    for node in model.graph.node:
        if node.op_type not in _INPUTS:
            continue
        first, second = (types.get(node.input[slot]) for slot in _INPUTS[node.op_type])
        output = types.get(node.output[0])
        shapes = [one.shape if one else None for one in (first, second, output)]
        if any(shape is None for shape in shapes):
            return None
        total += _products(node, *shapes)
    batch, _, height, width = entry.shape
    return total / (batch * height * width)


_INPUTS = {
    "Conv": (0, 1),
    "ConvInteger": (0, 1),
    "QLinearConv": (0, 3),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
}
"""Operators that multiply, and which of their inputs are multiplied."""


def _products(node: Any, first: Any, second: Any, output: Any) -> int:
    if "Conv" in node.op_type:  # weights: outputs x inputs of a group x kernel
        return math.prod(output) * math.prod(second[1:])
    transposed = node.op_type == "Gemm" and any(one.name == "transA" and one.i for one in node.attribute)
    return math.prod(output) * first[0 if transposed else -1]
