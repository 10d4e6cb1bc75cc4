"""The sizes an input may have: a minimum, the size to optimize for, a maximum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from .errors import ArgumentError

_MOST = 2**31 - 1
"""Of one axis in ONNX Runtime and TensorRT."""


@dataclass(frozen=True)
class Range:
    """The sizes of one axis, in pixels or images: 1 <= min <= opt <= max.

    >>> Range.parse("32:256:1080", "height").opt
    256
    """

    min: int
    opt: int
    max: int

    @classmethod
    def parse(cls, text: str, axis: str) -> Range:
        """Read `MIN:OPT:MAX`, or one number for all three. Raises `ArgumentError`, which names the axis."""
        try:
            sizes = [int(part) for part in text.split(":")]
        except (ValueError, AttributeError):  # the latter for what is no text
            sizes = []
        if len(sizes) == 1:
            sizes *= 3
        if len(sizes) != 3 or not 1 <= sizes[0] <= sizes[1] <= sizes[2] <= _MOST:
            raise ArgumentError(
                f"{axis} {text!r} is no profile: expected MIN:OPT:MAX with 1 <= MIN <= OPT <= MAX, "
                "such as 32:256:1080"
            )
        return cls(*sizes)

    @classmethod
    def only(cls, size: int) -> Range:
        """Return the range of one size."""
        return cls(size, size, size)

    @property
    def fixed(self) -> bool:
        """Whether only one size is allowed."""
        return self.min == self.max

    def __str__(self) -> str:
        return f"{self.min}:{self.opt}:{self.max}"


@dataclass(frozen=True)
class Profile:
    """An optimization profile: batch, height and width of the input; the published one by default.

    >>> Profile(height=Range(64, 64, 64), width=Range(64, 64, 64)).dynamic()
    {'batch': Range(min=1, opt=1, max=16)}
    """

    batch: Range = Range(1, 1, 16)
    height: Range = Range(32, 256, 1080)
    width: Range = Range(32, 256, 1920)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Profile:
        """Read what `describe` returns, and pass over more.

        Raises `ArgumentError` for what is no range of sizes, KeyError for an axis that is not there.
        """
        return cls(*(Range.parse(document[axis.name], axis.name) for axis in fields(cls)))

    def dynamic(self) -> dict[str, Range]:
        """Return name and range of each axis that is not fixed."""
        return {name: sizes for name, sizes in vars(self).items() if not sizes.fixed}

    def shapes(self, channels: int) -> list[list[int]]:
        """Return the min, opt and max shape, each N x C x H x W."""
        axes = (self.batch, self.height, self.width)
        sizes = zip(*(vars(axis).values() for axis in axes), strict=True)
        return [[batch, channels, height, width] for batch, height, width in sizes]

    def describe(self) -> dict[str, str]:
        """Return `MIN:OPT:MAX` of each axis, as files carry it."""
        return {axis: str(sizes) for axis, sizes in vars(self).items()}


def shape_text(shape: Iterable[int | str | None], by: str = "×") -> str:
    """Write a shape: `1×3×256×256`, or with `x` as TensorRT's own tool spells it; None is `any`."""
    return by.join("any" if size is None else str(size) for size in shape) or "()"
