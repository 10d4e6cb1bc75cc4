"""Small images with the larger ones that a network should make of them: what a loss is told by."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ArgumentError
from ..images.channels import as_tensor, feed_for, to_network
from ..images.files import read_picture
from .calibration import CalibrationImages

Pairs = Sequence[tuple[Tensor, Tensor]]
"""1 x C x H x W and 1 x C x H·scale x W·scale, float32, values 0..1."""

_MOST_IMAGES = 12
_BORDER = 2
"""Pixels on each side that count for nothing: a network knows less of them."""


def crops(images: CalibrationImages, scale: int, side: int) -> Pairs:
    """Return the middle of at most 12 of the images, `side` input pixels or less, made smaller by `scale`.

    Smaller by a bicubic filter and in 8 bits, as networks are measured with. Raises `ArgumentError` if none
    is large enough, and `ImageError` for an image that cannot be read.
    """
    step = math.ceil(len(images.originals) / _MOST_IMAGES)
    pairs: list[tuple[Tensor, Tensor]] = []
    for path in images.originals[::step]:
        pixels = read_picture(path).pixels
        rows, columns = (_middle(length, side * scale, scale) for length in pixels.shape[:2])
        crop = pixels[rows, columns]
        if min(crop.shape[:2]) <= 2 * _BORDER * scale:
            continue
        batch = to_network(as_tensor(crop)[None], feed_for(crop.shape[2], images.channels))[:1]
        high = batch.contiguous()
        small = F.interpolate(high, scale_factor=1 / scale, mode="bicubic", antialias=True)
        pairs.append((small.mul(255).round().clamp(0, 255).div(255), high))
    if not pairs:
        raise ArgumentError("the calibration images are too small to tell a loss by: give larger ones")
    return pairs


@torch.inference_mode()
def outputs(network: nn.Module, pairs: Pairs) -> list[Tensor]:
    """Return what a network makes of the small images, clamped, without their borders."""
    return [_inner(network(low).clamp(0, 1)) for low, _ in pairs]


def qualities(made: Sequence[Tensor], pairs: Pairs) -> list[float]:
    """Return the PSNR in dB of each of `outputs` against the larger image."""
    return [decibels(one, _inner(high)) for one, (_, high) in zip(made, pairs, strict=True)]


@dataclass(frozen=True)
class Loss:
    """dB lost on several images."""

    mean: float
    error: float
    """The standard error of the mean: how far other images of their kind are likely to be from it."""

    @classmethod
    def between(cls, before: Sequence[float], after: Sequence[float]) -> Loss:
        """Compare the qualities of the same images."""
        lost = [one - other for one, other in zip(before, after, strict=True)]
        spread = statistics.stdev(lost) if len(lost) > 1 else 0.0
        return cls(statistics.fmean(lost), spread / math.sqrt(len(lost)))


def decibels(made: Tensor, wanted: Tensor) -> float:
    """Return the PSNR in dB of values of 0..1, at most 200."""
    error = float((made.double() - wanted).square().mean())
    return min(-10 * math.log10(error), 200.0) if error else 200.0


def _inner(image: Tensor) -> Tensor:
    return image[..., _BORDER:-_BORDER, _BORDER:-_BORDER]


def _middle(length: int, side: int, scale: int) -> slice:
    kept = min(side, length // scale * scale)
    start = (length - kept) // 2
    return slice(start, start + kept)
