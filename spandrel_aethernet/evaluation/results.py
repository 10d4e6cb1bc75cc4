"""What a comparison of models measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import pooled


@dataclass(frozen=True)
class ImageResult:
    """One model on one image.

    `psnr` (dB) and `ssim` are against the original. `difference_psnr` (dB, infinite if equal) and
    `largest_difference` (steps of 8 bits) are against the first model's output. `seconds` is the median.
    """

    image: str
    psnr: float
    ssim: float
    difference_psnr: float
    largest_difference: int
    seconds: float


@dataclass(frozen=True)
class WorstCrop:
    """Where a model's output is farthest from what it is compared with: labelled H x W x 3 panels."""

    image: str
    error: float
    panels: Sequence[tuple[str, NDArray[np.uint8]]]


@dataclass(frozen=True)
class ModelResult:
    """One model on all images, one `ImageResult` each in the same order for every model."""

    model: Path
    description: str
    images: Sequence[ImageResult]
    worst: WorstCrop

    @property
    def psnr(self) -> float:
        """Mean over the images, dB."""
        return statistics.fmean(result.psnr for result in self.images)

    @property
    def ssim(self) -> float:
        """Mean over the images."""
        return statistics.fmean(result.ssim for result in self.images)

    @property
    def difference_psnr(self) -> float:
        """PSNR in dB of the mean squared difference over all images; infinite if all are equal."""
        return pooled([result.difference_psnr for result in self.images])

    @property
    def largest_difference(self) -> int:
        """Over all images, in steps of 8 bits."""
        return max(result.largest_difference for result in self.images)

    @property
    def seconds(self) -> float:
        """Median over the images."""
        return statistics.median(result.seconds for result in self.images)


@dataclass(frozen=True)
class Comparison:
    """All models on all images; `tile` and `overlap` are in input pixels and the same for all."""

    scale: int
    tile: int
    overlap: int
    repeats: int
    models: Sequence[ModelResult]

    def ratio(self, result: ModelResult) -> float:
        """How many times as fast as the first model this one is."""
        return self.models[0].seconds / result.seconds


def describe(comparison: Comparison) -> dict[str, Any]:
    """Return everything measured as one JSON-ready document; PSNR of equal images is null."""
    return {
        "scale": comparison.scale,
        "tile": comparison.tile,
        "overlap": comparison.overlap,
        "repeats": comparison.repeats,
        "images": [result.image for result in comparison.models[0].images],
        "models": [_model(comparison, result) for result in comparison.models],
    }


def _model(comparison: Comparison, result: ModelResult) -> dict[str, Any]:
    return {
        "file": str(result.model),
        "description": result.description,
        **_measures(result),
        "ratio": comparison.ratio(result),
        "worst_image": result.worst.image,
        "images": [_measures(image) for image in result.images],
    }


def _measures(result: ModelResult | ImageResult) -> dict[str, float | int | None]:
    return {
        "psnr": _finite(result.psnr),
        "ssim": result.ssim,
        "difference_psnr": _finite(result.difference_psnr),
        "largest_difference": result.largest_difference,
        "seconds": result.seconds,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
