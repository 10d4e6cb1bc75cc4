"""Which image channels feed which network channels, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError

Sample = TypeVar("Sample", bound=np.integer[Any] | np.floating[Any])
Feed = Sequence[Sequence[int | None]]
"""One entry an item of the network's batch: the image channel for each network channel, None for opaque."""


def feed_for(image_channels: int, network_channels: int) -> Feed:
    """Say how an image of 1 to 4 channels passes through a network of any channel count.

    Grey is repeated for an RGB network, alpha goes through as a grey image of its own, and a grey
    network takes channel by channel. Raises `ImageError` where nothing fits.
    """
    if image_channels == network_channels:
        return [list(range(image_channels))]
    colour = [0, 1, 2] if image_channels >= 3 else [0, 0, 0]
    alpha = [image_channels - 1] if image_channels in (2, 4) else []
    if network_channels == 1:
        return [[channel] for channel in range(image_channels)]
    if network_channels == 3:
        return [colour, *([channel] * 3 for channel in alpha)]
    if network_channels == 4:
        return [[*colour, *(alpha or [None])]]
    raise ImageError(
        f"the network takes {network_channels} channels and the image has {image_channels}: nothing fits"
    )


def to_network(pixels: NDArray[Sample], feed: Feed) -> NDArray[np.float32]:
    """Turn H x W x C integers of any range, or floats of 0..1, into N x K x H x W float32 of 0..1."""
    planes = np.moveaxis(pixels, 2, 0).astype(np.float32) / np.float32(white(pixels.dtype))
    opaque = np.ones_like(planes[0])
    return np.stack([np.stack([opaque if c is None else planes[c] for c in channels]) for channels in feed])


def from_network(output: NDArray[np.float32], feed: Feed, dtype: np.dtype[Sample]) -> NDArray[Sample]:
    """Turn N x K x H x W float32 back into H x W x C of `dtype`, clamped to 0..1, integers rounded.

    An image channel that fed several network channels becomes their mean.
    """
    sources = [(c, output[n, k]) for n, channels in enumerate(feed) for k, c in enumerate(channels)]
    used = sorted({c for c, _ in sources if c is not None})
    planes = [np.mean([plane for c, plane in sources if c == channel], axis=0) for channel in used]
    clamped = np.clip(np.stack(planes, axis=2), 0, 1)
    if dtype.kind == "f":
        return clamped.astype(dtype)
    return np.rint(clamped * white(dtype)).astype(dtype)


def white(dtype: np.dtype[Any]) -> int:
    """Return the value that stands for 1."""
    return 1 if dtype.kind == "f" else int(np.iinfo(dtype).max)
