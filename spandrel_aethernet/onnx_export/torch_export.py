"""The float graph: from a network to an ONNX model whose initializers keep the network's names."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

from ..shapes import Profile

OLDEST_OPSET, NEWEST_OPSET = 17, 21
_OLDEST_DYNAMO_OPSET = 18
_SINCE_18 = ("num_outputs", "noop_with_empty_axes")
"""Attributes of Split and of reductions."""
_AXES = {"batch": 0, "height": 2, "width": 3}


def float_graph(
    network: nn.Module, channels: int, scale: int, profile: Profile, opset: int
) -> onnx.ModelProto:
    """Export a network that takes N x `channels` x H x W in the dtype of its parameters.

    Input and output are called `input` and `output`. Axes that the profile leaves open are named
    `batch`, `height` and `width`, and the output's are expressions of them.
    """
    dtype = next(network.parameters()).dtype
    # A batch of 1 would be taken for a constant.
    sizes = {name: axis.opt if axis.fixed else max(axis.opt, 2) for name, axis in vars(profile).items()}
    batch, height, width = sizes["batch"], sizes["height"], sizes["width"]
    if not profile.height.fixed and not profile.width.fixed:
        height, width = min(height, 64), min(width, 64)
    example = torch.zeros(batch, channels, height, width, dtype=dtype)
    exported = _by_dynamo if _has_modern_exporter() else _by_torchscript
    with warnings.catch_warnings(), torch.inference_mode(), _signals_held_back():
        warnings.simplefilter("ignore")
        model = exported(network, example, profile, opset)
    model.ir_version = helper.find_min_ir_version_for(model.opset_import)
    _name_axes(model, profile, scale)
    del model.metadata_props[:]
    for node in model.graph.node:  # the exporter's notes on where in the Python code a node came from
        node.ClearField("doc_string")
        if hasattr(node, "metadata_props"):
            del node.metadata_props[:]
    return model


@contextmanager
def _signals_held_back() -> Generator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of the block.

    What a handler raises while PyTorch's C++ calls back into Python can end the process on the spot.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread only
        return
    received: list[int] = []
    held = {one: signal.getsignal(one) or signal.SIG_DFL for one in (signal.SIGINT, signal.SIGTERM)}
    for one in held:
        signal.signal(one, lambda number, _frame: received.append(number))
    try:
        yield
    finally:
        for one, handler in held.items():
            signal.signal(one, handler)
        if received:
            signal.raise_signal(received[0])


def _has_modern_exporter() -> bool:
    """Before 2.9 torch's newer exporter needs an onnxscript of just the right age, the older one none."""
    major, minor = (int(part) for part in torch.__version__.split(".")[:2])
    return (major, minor) >= (2, 9)


def newest_opset() -> int:
    """Return the newest opset that the exporter of this PyTorch writes: the older one ends at 20."""
    return NEWEST_OPSET if _has_modern_exporter() else 20


def _by_dynamo(network: nn.Module, example: torch.Tensor, profile: Profile, opset: int) -> onnx.ModelProto:
    dims = {
        _AXES[name]: torch.export.Dim(name, min=axis.min, max=axis.max)
        for name, axis in profile.dynamic().items()
    }
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        opset_version=max(opset, _OLDEST_DYNAMO_OPSET),
        input_names=["input"],
        output_names=["output"],
        dynamic_shapes=(dims,),
        verbose=False,
    )
    assert program is not None
    model: Any = program.model_proto
    if opset < _OLDEST_DYNAMO_OPSET:
        _back_to_17(model)
    return model


def _by_torchscript(
    network: nn.Module, example: torch.Tensor, profile: Profile, opset: int
) -> onnx.ModelProto:
    axes = {_AXES[name]: name for name in profile.dynamic()}
    buffer = BytesIO()
    torch.onnx.export(
        network,
        (example,),
        buffer,  # pyright: ignore[reportArgumentType]  (torch 2.7 takes a file object here)
        dynamo=False,
        opset_version=opset,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": axes, "output": axes},
    )
    return onnx.load_from_string(buffer.getvalue())


def _back_to_17(model: onnx.ModelProto) -> None:
    """Undo what opset 18 added to the operators of these networks: outputs of Split, axes of reductions."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        kept = [attribute for attribute in node.attribute if attribute.name not in _SINCE_18]
        if node.op_type in ("ReduceMax", "ReduceMean") and len(node.input) == 2:
            axes = numpy_helper.to_array(constants[node.input.pop()])
            kept.append(helper.make_attribute("axes", axes.tolist()))
        del node.attribute[:]
        node.attribute.extend(kept)
    read = {name for node in model.graph.node for name in node.input}
    unread = [tensor for tensor in model.graph.initializer if tensor.name not in read]
    for tensor in unread:
        model.graph.initializer.remove(tensor)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", 17))


def _name_axes(model: onnx.ModelProto, profile: Profile, scale: int) -> None:
    for name in profile.dynamic():
        axis = _AXES[name]
        factor = f"{scale}*" if axis and scale > 1 else ""
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
        model.graph.output[0].type.tensor_type.shape.dim[axis].dim_param = factor + name
    # Shapes in between were inferred under other names of the same axes.
    del model.graph.value_info[:]
