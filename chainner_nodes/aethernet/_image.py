# SPDX-License-Identifier: GPL-3.0-or-later
"""chaiNNer's images, float32 BGR with values 0..1, as the pixels that `spandrel_aethernet` takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spandrel_aethernet.images.channels import as_tensor, feed_for, to_network
from spandrel_aethernet.images.files import Pixels

_TOP = np.iinfo(np.uint16).max


def to_pixels(image: NDArray[np.float32]) -> Pixels:
    """Return H x W x C 16-bit grey, RGB or RGBA of an H x W or H x W x C image."""
    planes = image[:, :, np.newaxis] if image.ndim == 2 else image
    return _swapped(np.rint(np.clip(planes, 0, 1) * _TOP).astype(np.uint16))


def to_batch(image: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Return 1 x `channels` x H x W, RGB with values 0..1, for a network; alpha is left out.

    Raises `ImageError` where an image and a network do not go together.
    """
    pixels = to_pixels(image)
    batch = as_tensor(pixels)[None]
    return to_network(batch, feed_for(pixels.shape[2], channels))[:1].contiguous().numpy()


def from_pixels(pixels: Pixels) -> NDArray[np.float32]:
    """Return the image of 16-bit pixels: H x W of grey ones, else H x W x C."""
    image = np.divide(_swapped(pixels), _TOP, dtype=np.float32)
    return image[:, :, 0] if image.shape[2] == 1 else image


def _swapped(pixels: Pixels) -> Pixels:
    """Exchange red and blue."""
    return pixels[:, :, [2, 1, 0, *range(3, pixels.shape[2])]] if pixels.shape[2] >= 3 else pixels
