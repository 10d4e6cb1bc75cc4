"""Small ONNX files to test with: one convolution and DepthToSpace, and AetherNet as PyTorch exports it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from spandrel_aethernet import AetherNet

Shape = Sequence[int | str | None]
ANY_SIZE: Shape = ("batch", 3, "height", "width")
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def weights(channels: int = 3, scale: int = 2) -> NDArray[np.float32]:
    """Return the kernel of the one convolution: each output is near the pixel it enlarges."""
    kernel = np.random.default_rng(0).normal(0, 0.05, (channels * scale**2, channels, 3, 3))
    for out in range(len(kernel)):
        kernel[out, out // scale**2, 1, 1] += 0.8
    return kernel.astype(np.float32)


def repeating(channels: int = 3, scale: int = 2, *, gain: float = 1.0) -> NDArray[np.float32]:
    """Return a kernel that repeats pixels, `gain` times as bright."""
    kernel = np.zeros((channels * scale**2, channels, 3, 3), np.float32)
    for out in range(len(kernel)):
        kernel[out, out // scale**2, 1, 1] = gain
    return kernel


def expected(batch: NDArray[np.float32], kernel: NDArray[np.float32], scale: int = 2) -> NDArray[np.float32]:
    """Run the same network in PyTorch."""
    made = F.conv2d(torch.from_numpy(batch), torch.from_numpy(kernel), padding=1)
    return F.pixel_shuffle(made, scale).numpy()


def write_onnx(
    path: Path,
    kernel: NDArray[np.float32] | None = None,
    *,
    scale: int = 2,
    shape: Shape = ANY_SIZE,
    dtype: str = "float32",
    names: tuple[str, str] = ("input", "output"),
    weights_as_input: bool = False,
) -> Path:
    """Write a network that is a convolution and DepthToSpace."""
    kernel = weights(scale=scale) if kernel is None else kernel
    nodes = [
        helper.make_node("Conv", [names[0], "kernel"], ["deep"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["deep"], [names[1]], blocksize=scale, mode="CRD"),
    ]
    inputs = [value(names[0], shape, dtype)]
    if weights_as_input:
        inputs.append(value("kernel", kernel.shape, dtype))
    outputs = [value(names[1], ["n", "c", "h", "w"], dtype)]
    return write_graph(path, nodes, inputs, outputs, {"kernel": kernel.astype(dtype)})


def value(name: str, shape: Shape, dtype: str = "float32") -> onnx.ValueInfoProto:
    """Describe one input or output."""
    return helper.make_tensor_value_info(name, _TYPES[dtype], shape)


def write_graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: dict[str, NDArray[Any]] | None = None,
) -> Path:
    """Write any graph, in a form that ONNX Runtime 1.17 reads too."""
    tensors = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def keep_weights_in(path: Path, location: str) -> None:
    """Rewrite a file so that its first tensor is read from `location`, relative to its folder."""
    model = onnx.load_model_from_string(path.read_bytes())
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    (path.parent / location).write_bytes(data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, entry in {"location": location, "offset": "0", "length": str(len(data))}.items():
        tensor.external_data.add(key=key, value=entry)
    path.write_bytes(model.SerializeToString())


def export(network: AetherNet, path: Path) -> Path:
    """Export a network of any batch, height and width by the quickest way PyTorch has."""
    axes = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cast(Any, torch.onnx).export(
            network,
            (torch.rand(2, network.in_chans, 24, 20),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": axes, "output": axes},
        )
    return path
