"""How near one image is to another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..shapes import shape_text


def psnr(output: NDArray[Any], expected: NDArray[Any], *, peak: float) -> float:
    """Return the peak signal-to-noise ratio in dB of `output` against `expected`; infinite if they are equal.

    Both arrays have one shape, any dtype and any number of axes, over all of which the error is averaged
    as float64. `peak` is the largest value of a signal in the same units: 1 for floats of 0..1, 255 for
    uint8. NaN anywhere gives NaN. Raises `ArgumentError` for arrays of different shapes.

    >>> psnr(np.full((4, 4, 3), 127, np.uint8), np.full((4, 4, 3), 128, np.uint8), peak=255) > 48
    True
    """
    if output.shape != expected.shape:
        raise ArgumentError(
            f"images of {shape_text(output.shape)} and {shape_text(expected.shape)}: expected one shape"
        )
    error = float(np.mean((output.astype(np.float64) - expected) ** 2))
    return 10 * math.log10(peak**2 / error) if error else math.inf
