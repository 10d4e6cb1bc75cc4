"""Fitting a batch of any size into the sizes that a network file accepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import AetherError, Hint
from ..shapes import shape_text


@dataclass(frozen=True)
class Limits:
    """The smallest and the largest size of one axis; None is no limit."""

    min: int = 1
    max: int | None = None

    @classmethod
    def only(cls, size: int | None) -> Limits:
        """Allow one size, or any for None."""
        return cls() if size is None else cls(size, size)

    @property
    def fixed(self) -> bool:
        """Whether it takes one size alone."""
        return self.min == self.max


@dataclass(frozen=True)
class Accepted:
    """The sizes that a network file takes."""

    batch: Limits = Limits()
    height: Limits = Limits()
    width: Limits = Limits()

    @property
    def largest_tile(self) -> int | None:
        """The side of the largest square it takes, None for any."""
        return min((axis.max for axis in (self.height, self.width) if axis.max), default=None)

    def __str__(self) -> str:
        axes = self.height, self.width
        if all(axis == Limits() for axis in axes):
            return "any size"
        largest = shape_text(axis.max for axis in axes)
        if all(axis.fixed or axis == Limits() for axis in axes):
            return f"{largest} only"
        return f"{shape_text(axis.min for axis in axes)} to {largest}"


def run_padded(
    run: Callable[[Tensor], Tensor],
    batch: Tensor,
    accepted: Accepted,
    *,
    scale: int,
    refuse: Callable[[str, Hint | None], AetherError],
) -> Tensor:
    """Upscale N x C x H x W by `run`, which takes what is `accepted`, to N x C x H·scale x W·scale.

    A larger batch goes through in parts; what is smaller is padded by repeating its last image and its
    edge, and the output cropped. Raises what `refuse` makes of a reason if the image is too large or the
    output not of the expected shape.
    """
    count, _, height, width = batch.shape
    if any(
        axis.max is not None and side > axis.max
        for side, axis in ((height, accepted.height), (width, accepted.width))
    ):
        hint = Hint("give {tile}", tile=accepted.largest_tile)
        raise refuse(f"takes {accepted} and was given {height}×{width}", hint)
    step = accepted.batch.max or count
    parts: list[Tensor] = []
    several = step < count
    for start in range(0, count, step):
        part = batch[start : start + step]
        padded = _padded(part, accepted)
        output = run(padded)
        expected = (*padded.shape[:2], *(side * scale for side in padded.shape[2:]))
        if output.shape != expected:
            shapes = [shape_text(shape) for shape in (output.shape, padded.shape, expected)]
            raise refuse("made {} of {}: expected {}".format(*shapes), None)
        kept = output[: len(part), :, : height * scale, : width * scale]
        parts.append(kept.clone() if several else kept)  # the next run may overwrite it
    return torch.cat(parts) if several else parts[0]


def _padded(batch: Tensor, accepted: Accepted) -> Tensor:
    least = accepted.batch.min, accepted.height.min, accepted.width.min
    count, _, height, width = batch.shape
    items, below, right = (
        max(size - side, 0) for size, side in zip(least, (count, height, width), strict=True)
    )
    if items:
        batch = torch.cat([batch, batch[-1:].expand(items, -1, -1, -1)])
    return F.pad(batch, (0, right, 0, below), mode="replicate") if below or right else batch
