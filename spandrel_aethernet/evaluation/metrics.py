"""How near one image is to another, and where they differ most."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.psnr import psnr


def psnr_inside(image: NDArray[np.integer], original: NDArray[np.integer], *, border: int = 2) -> float:
    """Return the PSNR in dB over all channels of two integer images of one shape and dtype.

    `border` pixels on each side do not count. Equal images give infinity.
    """
    inner = slice(border, -border or None)
    peak = float(np.iinfo(original.dtype).max)
    return psnr(image[inner, inner], original[inner, inner], peak=peak)


def pooled(levels: Sequence[float]) -> float:
    """Return the PSNR in dB of the mean squared difference over images of these levels; infinity if equal."""
    error = statistics.fmean(10 ** (-level / 10) for level in levels)
    return -10 * math.log10(error) if error else math.inf


@dataclass(frozen=True)
class Window:
    """Part of an image, and the mean squared difference of two images in it."""

    rows: slice
    columns: slice
    error: float

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a copy of this part of an image, so that the rest of it need not be kept."""
        return np.array(image[self.rows, self.columns])


def worst_window(image: NDArray[np.uint8], other: NDArray[np.uint8], side: int) -> Window:
    """Return the square of `side` pixels, or less in a smaller image, where two H x W x C differ most."""
    error: NDArray[np.float64] = np.square(image.astype(np.float64) - other).mean(axis=2)
    height, width = (min(side, length) for length in error.shape)
    sums = np.pad(error.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    top, bottom = sums[:-height], sums[height:]
    inside = bottom[:, width:] - bottom[:, :-width] - top[:, width:] + top[:, :-width]
    row, column = (int(index) for index in np.unravel_index(inside.argmax(), inside.shape))
    # Sums of equal images are zero but for rounding, which may leave them below.
    mean = max(0.0, float(inside[row, column])) / (height * width)
    return Window(slice(row, row + height), slice(column, column + width), mean)
