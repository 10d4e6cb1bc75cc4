"""Exact sizes: which one is asked for, how often a network must run for it, and the rest by libvips."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray

from ..errors import ArgumentError, ImageError
from .channels import white
from .files import Pixels

MOST_PIXELS_A_SIDE = 10_000_000
"""That every libvips takes, its `VIPS_MAX_COORD`; newer ones take more."""
_VIPS_NAMES = {"uint8": "uchar", "uint16": "ushort"}


@dataclass(frozen=True)
class Size:
    """A width or a height in pixels that is asked for, or both, or a scale; `of` raises as `target_size`.

    >>> Size(height=1080).of(1280, 720)
    (1920, 1080)
    """

    width: int | None = None
    height: int | None = None
    scale: float | None = None

    def of(self, width: int, height: int, *, even: bool = False) -> tuple[int, int]:
        """Return the width and height that an image of `width` x `height` is to have.

        With `even`, sides that are not asked for in pixels are made so, as most videos need them.
        """
        found = target_size(width, height, want_width=self.width, want_height=self.height, scale=self.scale)
        sides = (
            side if asked or not even else max(side + side % 2, 2)
            for side, asked in zip(found, (self.width, self.height), strict=True)
        )
        return next(sides), next(sides)


def target_size(
    width: int,
    height: int,
    *,
    want_width: int | None = None,
    want_height: int | None = None,
    scale: float | None = None,
) -> tuple[int, int]:
    """Return width and height in pixels that an image of `width` x `height` is to have.

    One wanted side is enough, the other then keeps the aspect ratio, rounded, 1 at least; both are taken as
    they are, whatever the ratio. `scale` is a factor of both sides, above 0, and stands alone. Raises
    `ArgumentError` for a side that is not 1 to 10,000,000 pixels, given or found, for a scale that is no
    number above 0, for a scale beside a side, and where nothing is asked for.

    >>> target_size(640, 427, want_width=1000)
    (1000, 667)
    """
    if scale is not None and (want_width is not None or want_height is not None):
        raise ArgumentError("a scale and a width or height contradict each other: give one or the other")
    if scale is not None:
        if not (math.isfinite(scale) and scale > 0):
            raise ArgumentError(f"scale is {scale}: expected a number above 0, such as 2 or 1.5")
        # A factor that large would be none of the sides' trouble but the float's.
        sides = [min(float(side) * scale, 2.0 * MOST_PIXELS_A_SIDE) for side in (width, height)]
        return _checked(*(max(1, math.floor(side + 0.5)) for side in sides))
    if want_width is None and want_height is None:
        raise ArgumentError("no size is asked for: give a width, a height, both, or a scale")
    for name, side in (("width", want_width), ("height", want_height)):
        if side is not None:
            _check_side(name, side)
    if want_width is None:
        want_width = _in_proportion(width, want_height or 1, height)
    if want_height is None:
        want_height = _in_proportion(height, want_width, width)
    return _checked(want_width, want_height)


def passes_needed(source: tuple[int, int], target: tuple[int, int], scale: int) -> int:
    """Return how often a network that enlarges `scale` times must run before `source` reaches `target`.

    Both are (width, height) in pixels; what is larger afterwards is reduced by `resized`. It runs once at
    least, also for a target that is not larger: it is run for what it does to an image, not for the size
    alone. A network of scale 1 runs once, whatever the target, and `resized` enlarges. As no side has more
    than 10,000,000 pixels, no network runs more than 24 times.
    """
    passes = 1
    if scale > 1:
        while any(side * scale**passes < wanted for side, wanted in zip(source, target, strict=True)):
            passes += 1
    return passes


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return H x W x C pixels, uint8 or uint16, as `height` x `width` x C of the same type.

    libvips computes it in float32: it reduces by Lanczos with three lobes, after averaging whole pixels where
    a side shrinks to less than half, and enlarges bicubically, whichever kernel it is asked for (the manual
    of `vips_resize`). Of 2 and 4 channels the last is alpha, with which colours are multiplied before and
    divided by after, so that the colour of what is transparent does not bleed; what is wholly opaque stays
    so. Raises `ArgumentError` for a side that is not 1 to 10,000,000 pixels, and `ImageError` if libvips
    fails.
    """
    _check_side("width", width)
    _check_side("height", height)
    rows, columns, channels = pixels.shape
    if (columns, rows) == (width, height):
        return np.array(pixels)
    has_alpha, most = channels in (2, 4), white(pixels.dtype)
    data = np.ascontiguousarray(pixels)
    try:
        image = pyvips.Image.new_from_memory(data.data, columns, rows, channels, _VIPS_NAMES[data.dtype.name])
        image = image.premultiply(max_alpha=most) if has_alpha else image.cast("float")
        image = image.resize(width / columns, vscale=height / rows, kernel="lanczos3")
        image = image.unpremultiply(max_alpha=most) if has_alpha else image
        made: NDArray[np.float32] = image.numpy().reshape(image.height, image.width, channels)
    except pyvips.Error as error:
        raise ImageError(f"an image cannot be resized to {width}x{height}: {error}") from error
    assert made.shape[:2] == (height, width), "libvips rounds sides to the nearest"
    return np.rint(np.clip(made, 0, most)).astype(pixels.dtype)


def _in_proportion(side: int, wanted: int, other: int) -> int:
    """Return `side` x `wanted` / `other`, rounded without floats, 1 at least."""
    return max(1, (2 * side * wanted + other) // (2 * other))


def _checked(width: int, height: int) -> tuple[int, int]:
    _check_side("width", width)
    _check_side("height", height)
    return width, height


def _check_side(name: str, side: int) -> None:
    if not 1 <= side <= MOST_PIXELS_A_SIDE:
        raise ArgumentError(f"the {name} would be {side} pixels: expected 1 to {MOST_PIXELS_A_SIDE}")
