"""Pixels of image files to tensors of a network and back: channels, depth, order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ImageError

Feed = Sequence[Sequence[int | None]]
"""One entry an item of the network's batch: the image channel for each network channel, None for opaque."""

_STRIP_VALUES = 2**17
"""Values that are turned into pixels at once on a CPU: few enough to stay in its cache meanwhile."""

_WHITES = {torch.uint8: 255, torch.int16: 65535, torch.float32: 1}
"""The value that stands for 1; int16 holds the bits of uint16."""


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


def as_tensor(pixels: NDArray[Any]) -> Tensor:
    """Return uint8, uint16 or float32 pixels as a tensor on the same memory, uint16 as int16.

    PyTorch computes little with uint16; `to_network` and `as_array` know whose bits they are.
    """
    usable: NDArray[Any] = np.require(pixels, requirements=["C", "W"])  # as all that PyTorch takes
    return torch.from_numpy(usable.view(np.int16) if usable.dtype == np.uint16 else usable)


def as_array(pixels: Tensor) -> NDArray[Any]:
    """Return what `from_network` made as an array on the same memory, int16 as the uint16 that it is."""
    array = pixels.numpy()
    return array.view(np.uint16) if array.dtype == np.int16 else array


def to_network(pixels: Tensor, feed: Feed) -> Tensor:
    """Turn N x H x W x C pixels (see `as_tensor`) into N·len(feed) x K x H x W float32 of 0..1.

    What feeds an item lies next to each other. Channels that feed themselves in order come as a view, which
    is channels last in memory; others are copied.
    """
    count, height, width, channels = pixels.shape
    planes = pixels.permute(0, 3, 1, 2)
    sources = [c or 0 for item in feed for c in item]
    if sources != list(range(channels)):
        planes = planes[:, sources]
    planes = planes.reshape(count * len(feed), -1, height, width)
    if pixels.dtype == torch.int16:
        planes = planes.to(torch.int32) & 0xFFFF
    values = planes.to(torch.float32, copy=True).div_(_WHITES[pixels.dtype])
    for place, item in enumerate(feed):
        for channel, source in enumerate(item):
            if source is None:
                values[place :: len(feed), channel] = 1
    return values


def from_network(output: Tensor, feed: Feed, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Turn N·len(feed) x K x H x W floats back into N x H x W x C pixels of `dtype` (see `as_tensor`).

    They are clamped to 0..1, integers rounded; an image channel that fed several network channels becomes
    their mean. With them comes a sum of all values, one tensor, which is not finite if one of them is not.
    """
    _, network_channels, height, width = output.shape
    sources: list[int | None] = [c for item in feed for c in item]
    used = sorted({c for c in sources if c is not None})
    output = output.reshape(-1, len(feed) * network_channels, height, width)
    in_order = sources == used
    pixels = torch.empty((output.shape[0], height, width, len(used)), dtype=dtype, device=output.device)
    rows = height if output.device.type != "cpu" else max(_STRIP_VALUES // output[0, :, 0].numel(), 1)
    sums: list[Tensor] = []
    for strip, result in zip(torch.split(output, rows, 2), torch.split(pixels, rows, 1), strict=True):
        values = strip.float()
        if not in_order:
            means = [
                values[:, [place for place, c in enumerate(sources) if c == channel]].mean(1)
                for channel in used
            ]
            values = torch.stack(means, 1)
        sums.append(_put(values, result))
    return pixels, torch.stack(sums).sum()


def _put(values: Tensor, pixels: Tensor) -> Tensor:
    """Write N x C x H x W floats into N x H x W x C pixels, and return the sum before they are clamped."""
    top = _WHITES[pixels.dtype]
    scaled = values * top
    total = scaled.sum()
    scaled.clamp_(0, top)
    if pixels.dtype != torch.float32:
        scaled.round_()
    if pixels.device.type == "cpu":
        with np.errstate(invalid="ignore"):  # what is not finite shows in the sum
            _interleave(scaled.numpy(), as_array(pixels))
        return total
    if pixels.dtype == torch.int16:
        scaled = scaled.to(torch.int32)  # of which the lower half is taken next
    pixels.copy_(scaled.to(pixels.dtype).permute(0, 2, 3, 1))
    return total


def _interleave(planes: NDArray[np.float32], pixels: NDArray[Any]) -> None:
    """Write N x C x H x W into N x H x W x C of any dtype; NumPy takes half the time of PyTorch for it."""
    if planes.strides[1] == planes.itemsize:  # channels last in memory
        pixels[...] = np.moveaxis(planes, 1, -1)
        return
    whole = planes.astype(pixels.dtype)
    for channel in range(whole.shape[1]):
        pixels[..., channel] = whole[:, channel]


def white(dtype: np.dtype[Any]) -> int:
    """Return the value that stands for 1."""
    return 1 if dtype.kind == "f" else int(np.iinfo(dtype).max)
