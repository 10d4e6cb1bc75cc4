"""What runs a network on pixels."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Sample = TypeVar("Sample", bound=np.uint8 | np.uint16 | np.float32)
Pending = Callable[[], NDArray[Any]]
"""Waits for what a backend was given, and returns it."""


@runtime_checkable
class Backend(Protocol):
    """A network that is loaded and ready to run."""

    scale: int
    channels: int
    """Of the network's own input; images of 1 to 4 channels are fitted to it (see `feed_for`)."""
    max_batch: int
    """How many network inputs of one size are worth giving at once; more are taken too."""
    one_tile_size: bool
    """Whether it runs tiles of one size only, or those best: what is smaller is padded, or slower."""

    def __call__(self, batch: NDArray[Sample]) -> NDArray[Sample]:
        """Upscale N x H x W x C to N x H·scale x W·scale x C of the same dtype.

        uint8, uint16, or float32 of 0..1; the result is clamped, integers are rounded. Raises `ImageError`
        if the channels do not fit the network, and `AetherError` if its output is not finite or the memory
        is not enough.
        """
        ...

    def submit(self, batch: NDArray[Sample]) -> Pending:
        """Begin what a call does, and return before it is done where the device works by itself."""
        ...

    def auto_tile(self) -> int:
        """Return the side of the largest square tile that is worth running at once on this device."""
        ...


class Means(Protocol):
    """What a network needs to know of a whole image before it can run in tiles; see `WholeMeans`."""

    def of_one_image(self) -> AbstractContextManager[None]:
        """Forget, at the end, what was found."""
        ...

    def looking_at(self, rows: slice, columns: slice) -> AbstractContextManager[None]:
        """Add up what the network sees in the kept part of one tile."""
        ...

    def end_pass(self) -> None:
        """Use what was added up from here on."""
        ...


def means_of(backend: Backend) -> Means | None:
    """Return what a backend's network needs to know of a whole image, or None."""
    return getattr(backend, "means", None)
