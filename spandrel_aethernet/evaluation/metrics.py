"""How near one image is to another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def psnr(image: NDArray[np.integer], original: NDArray[np.integer], *, border: int = 2) -> float:
    """Return the peak signal-to-noise ratio in dB over all channels of two images of one shape and dtype.

    `border` pixels on each side do not count. Equal images give infinity.
    """
    inner = slice(border, -border or None)
    difference = image[inner, inner].astype(np.float64) - original[inner, inner]
    error = float(np.mean(difference**2))
    peak = float(np.iinfo(original.dtype).max)
    return 10 * float(np.log10(peak**2 / error)) if error else float("inf")
