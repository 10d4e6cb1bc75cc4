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
from .profile import Profile, Span

LEAST_PSNR = {"fp32": 80.0, "fp16": 50.0, "fp32-int8": 45.0, "fp16-int8": 45.0}
"""How near, in dB against the span of the values (1 at least), an output must be to PyTorch's.

INT8 files are compared with a network that rounds to the same steps: what is left is the few values that
lie so near the middle between two steps that float noise decides.
"""


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
    photograph: Tensor,
    profile: Profile,
    precision: str,
    *,
    on_size: Callable[[], object] = lambda: None,
) -> list[Agreement]:
    """Compare on crops of `photograph` (1 x C x H x W, float32, repeated where it is too small).

    `reference` computes in float32. Raises `OnnxError` if any size agrees less than `LEAST_PSNR`.
    """
    library: Any = onnxruntime
    options = library.SessionOptions()
    options.log_severity_level = 3
    session = library.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results: list[Agreement] = []
    for batch, height, width in sizes(profile):
        image = _cover(photograph, batch, height, width)
        results.append(_compare(session, reference, image, precision))
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


def _compare(session: Any, reference: nn.Module, image: Tensor, precision: str) -> Agreement:
    dtype = np.float16 if precision.startswith("fp16") else np.float32
    with torch.inference_mode():
        expected = reference(image).numpy()
    output = session.run(None, {"input": image.numpy().astype(dtype)})[0]
    difference: NDArray[np.float64] = output.astype(np.float64) - expected
    error = float(np.mean(difference**2))
    peak = max(1.0, float(np.ptp(expected)))
    psnr = 10 * math.log10(peak**2 / error) if error > 0 else math.inf
    agreement = Agreement(tuple(image.shape), float(np.abs(difference).max()), psnr)
    if not psnr >= LEAST_PSNR[precision]:
        shape = "×".join(map(str, image.shape))
        raise OnnxError(
            f"the exported network does not agree with PyTorch: {psnr:.1f} dB at {shape}, "
            f"expected {LEAST_PSNR[precision]:g} dB or more, so nothing was written"
        )
    return agreement


def _cover(photograph: Tensor, batch: int, height: int, width: int) -> Tensor:
    rows, columns = -(-height // photograph.shape[2]), -(-width // photograph.shape[3])
    image = photograph.repeat(1, 1, rows, columns)[:, :, :height, :width]
    return torch.cat([image.flip(3) if number % 2 else image for number in range(batch)])
