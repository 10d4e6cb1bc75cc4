"""What runs a network on tiles."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Backend(Protocol):
    """A network that is loaded and ready to run."""

    scale: int
    channels: int
    max_batch: int
    """How many tiles of one size are worth giving at once; more are taken too."""

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale N x channels x H x W, values 0..1, to N x channels x H·scale x W·scale, not clamped."""
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
