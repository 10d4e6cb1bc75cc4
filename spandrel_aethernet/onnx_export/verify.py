"""Is an exported model the network it was made from? ONNX Runtime against PyTorch, on several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from ..errors import OnnxError
from ..images.psnr import psnr
from ..precision import Precision
from ..progress import SILENT, Progress
from ..shapes import Profile, Range, shape_text
from .overflow import refusal

LEAST_PSNR = {"fp32": 80.0, "fp16": 50.0, "fp32-int8": 45.0, "fp16-int8": 45.0}
"""How near, in dB against the span of the values (1 at least), an output must be to PyTorch's.

INT8 models are compared with a network that rounds to the same int8 values: what is left is the values that
lie so near the middle between two that float noise decides. Where the scales are coarse, that is as much as
they cost themselves, so an INT8 model may also be as far from that network as two networks are whose errors
are as large as its own and have nothing in common: 3 dB farther than it is from the float network.
"""
_EQUAL = 200.0
"""The PSNR that equal outputs are said to have, in dB: JSON knows no infinity."""


@dataclass(frozen=True)
class Agreement:
    """How one output agrees with PyTorch's; values of 0..1."""

    shape: tuple[int, ...]
    """Of the input, N x C x H x W."""
    largest_difference: float
    psnr: float
    """In dB, at most 200."""


def verify(
    model: onnx.ModelProto,
    reference: nn.Module,
    float_network: nn.Module,
    photograph: Tensor,
    profile: Profile,
    precision: Precision,
    *,
    progress: Progress = SILENT,
) -> list[Agreement]:
    """Compare on crops of `photograph` (1 x C x H x W, float32, repeated where it is too small).

    `reference` computes in float32 what the model does; it is `float_network` but for an INT8 model.
    Raises `OnnxError` if any size agrees less than `LEAST_PSNR` allows, or is not finite.
    """
    chosen = sizes(profile)
    progress.begin("verifying", len(chosen))
    session = _session(model)
    results: list[Agreement] = []
    for batch, height, width in chosen:
        progress.poll()
        image = _cover(photograph, batch, height, width)
        results.append(_compare(model, session, reference, float_network, image, precision))
        progress.advance()
    return results


def sizes(profile: Profile) -> Sequence[tuple[int, int, int]]:
    """Choose batches, heights and widths within the profile: small, odd, and two at once."""

    def within(axis: Range, wished: int) -> int:
        return min(max(wished, axis.min), axis.max)

    wished = [(1, 64, 64), (1, 61, 97), (2, 48, 35)]
    axes = profile.batch, profile.height, profile.width
    chosen = [tuple(within(axis, size) for axis, size in zip(axes, item, strict=True)) for item in wished]
    return list(dict.fromkeys((b, h, w) for b, h, w in chosen))


def truncates_half() -> bool:
    """Tell whether this ONNX Runtime drops the fraction where QuantizeLinear should round an FP16 value.

    Found in 1.17.1, which chaiNNer has: a model with FP16 scales loses quality there.
    """
    node = helper.make_node("QuantizeLinear", ["x", "scale"], ["y"])
    graph = helper.make_graph(
        [node],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [1])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1])],
        [helper.make_tensor("scale", TensorProto.FLOAT16, [], [1.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    return int(_session(model).run(None, {"x": np.array([1.75], np.float16)})[0][0]) == 1


def _session(model: onnx.ModelProto) -> Any:
    library: Any = onnxruntime
    options = library.SessionOptions()
    options.log_severity_level = 3
    return library.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _compare(
    model: onnx.ModelProto,
    session: Any,
    reference: nn.Module,
    float_network: nn.Module,
    image: Tensor,
    precision: Precision,
) -> Agreement:
    dtype = helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    with torch.inference_mode():
        expected: NDArray[np.float32] = reference(image).numpy()
        least = LEAST_PSNR[str(precision)]
        if reference is not float_network:
            least = min(least, _decibels(expected, float_network(image).numpy()) - 3)
    if not np.isfinite(expected).all():
        raise OnnxError("the network itself makes infinite values or NaN of a photograph: train it again")
    given = image.numpy().astype(dtype)
    output = session.run(None, {"input": given})[0]
    if not np.isfinite(output).all():
        raise refusal(model, given, precision)
    largest = float(np.abs(output.astype(np.float64) - expected).max())
    agreement = Agreement(tuple(image.shape), largest, _decibels(output, expected))
    if not agreement.psnr >= least:
        raise OnnxError(
            f"the exported network does not agree with PyTorch: {agreement.psnr:.1f} dB at "
            f"{shape_text(image.shape)}, expected {least:.1f} dB or more, so nothing was written"
        )
    return agreement


def _decibels(output: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    return min(psnr(output, expected, peak=max(1.0, float(np.ptp(expected)))), _EQUAL)


def _cover(photograph: Tensor, batch: int, height: int, width: int) -> Tensor:
    rows, columns = -(-height // photograph.shape[2]), -(-width // photograph.shape[3])
    image = photograph.repeat(1, 1, rows, columns)[:, :, :height, :width]
    return torch.cat([image.flip(3) if number % 2 else image for number in range(batch)])
