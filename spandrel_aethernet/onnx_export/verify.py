"""Is an exported file the network it was made from? ONNX Runtime against PyTorch, on several sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import OnnxError
from ..shapes import Profile, Span

LEAST_PSNR = {"fp32": 80.0, "fp16": 50.0, "fp32-int8": 45.0, "fp16-int8": 45.0}
"""How near, in dB against the span of the values (1 at least), an output must be to PyTorch's.

INT8 files are compared with a network that rounds to the same steps: what is left is the values that lie so
near the middle between two steps that float noise decides. Where the steps are coarse, that is as much as
they cost themselves, so an INT8 file may also be as far from that network as two networks are whose errors
are as large as its own and have nothing in common: 3 dB farther than it is from the float network.
"""
_LEAST_ERROR = 1e-20
"""Mean squared difference below which outputs count as agreeing to 200 dB."""


@dataclass(frozen=True)
class Agreement:
    """How one output agrees with PyTorch's; values of 0..1."""

    shape: tuple[int, ...]
    """Of the input, N x C x H x W."""
    largest_difference: float
    psnr: float


def verify(
    model: onnx.ModelProto,
    reference: nn.Module,
    float_network: nn.Module,
    photograph: Tensor,
    profile: Profile,
    precision: str,
    *,
    on_size: Callable[[], object] = lambda: None,
) -> list[Agreement]:
    """Compare on crops of `photograph` (1 x C x H x W, float32, repeated where it is too small).

    `reference` computes in float32 what the file does; it is `float_network` but for an INT8 file.
    Raises `OnnxError` if any size agrees less than `LEAST_PSNR` allows.
    """
    library: Any = onnxruntime
    options = library.SessionOptions()
    options.log_severity_level = 3
    session = library.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results: list[Agreement] = []
    for batch, height, width in sizes(profile):
        image = _cover(photograph, batch, height, width)
        results.append(_compare(session, reference, float_network, image, precision))
        on_size()
    return results


def sizes(profile: Profile) -> Sequence[tuple[int, int, int]]:
    """Choose batches, heights and widths within the profile: small, odd, and two at once."""

    def within(span: Span, wished: int) -> int:
        return min(max(wished, span.minimum), span.maximum)

    wished = [(1, 64, 64), (1, 61, 97), (2, 48, 35)]
    spans = profile.batch, profile.height, profile.width
    chosen = [tuple(within(span, size) for span, size in zip(spans, item, strict=True)) for item in wished]
    return list(dict.fromkeys((b, h, w) for b, h, w in chosen))


def _compare(
    session: Any, reference: nn.Module, float_network: nn.Module, image: Tensor, precision: str
) -> Agreement:
    dtype = np.float16 if precision.startswith("fp16") else np.float32
    with torch.inference_mode():
        expected: NDArray[np.float32] = reference(image).numpy()
        least = LEAST_PSNR[precision]
        if reference is not float_network:
            least = min(least, _psnr(expected, float_network(image).numpy()) - 3)
    output = session.run(None, {"input": image.numpy().astype(dtype)})[0]
    largest = float(np.abs(output.astype(np.float64) - expected).max())
    agreement = Agreement(tuple(image.shape), largest, _psnr(output, expected))
    if not agreement.psnr >= least:
        shape = "×".join(map(str, image.shape))
        raise OnnxError(
            f"the exported network does not agree with PyTorch: {agreement.psnr:.1f} dB at {shape}, "
            f"expected {least:.1f} dB or more, so nothing was written"
        )
    return agreement


def _psnr(output: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    error = float(np.mean((output.astype(np.float64) - expected) ** 2))
    peak = max(1.0, float(np.ptp(expected)))
    return 10 * math.log10(peak**2 / max(error, _LEAST_ERROR))


def _cover(photograph: Tensor, batch: int, height: int, width: int) -> Tensor:
    rows, columns = -(-height // photograph.shape[2]), -(-width // photograph.shape[3])
    image = photograph.repeat(1, 1, rows, columns)[:, :, :height, :width]
    return torch.cat([image.flip(3) if number % 2 else image for number in range(batch)])
