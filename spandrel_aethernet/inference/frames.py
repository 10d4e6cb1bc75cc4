"""Frames of a video through a network, while others are decoded and encoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..errors import AetherError
from ..images.resize import Size, passes_needed, resized
from .backend import Backend
from .pipeline import Crew
from .stream import upscale_pixels, upscale_stream
from .tiling import choose_tiles

Frame = NDArray[Any]
_DECODED, _ENLARGED = 4, 2
"""How many frames wait before and after the network."""


@dataclass(frozen=True)
class FrameOptions:
    """How frames are enlarged: tile and overlap in input pixels (see `choose_tiles`), and their size."""

    tile: int | None = None
    overlap: int | None = None
    size: Size | None = None

    def size_of(self, width: int, height: int, scale: int, *, even: bool = False) -> tuple[int, int]:
        """Return width and height of what an image of `width` x `height` becomes; of a video's, `even`."""
        return self.size.of(width, height, even=even) if self.size else (width * scale, height * scale)


class Frames:
    """Enlarges frames in order; a call of it is what `enlarge_video` takes as `upscaled`."""

    def __init__(self, backend: Backend, options: FrameOptions) -> None:
        """Take what runs the network. Raises `ArgumentError` as `check_tiles` does."""
        self._backend, self._options = backend, options
        self._tile, self._overlap = choose_tiles(backend, options.tile, options.overlap)

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yield each H x W x C frame (uint8 or uint16) enlarged; they are taken some ahead, by other threads.

        Raises what the network raises, and what `frames` does.
        """
        with Crew() as crew:
            decoded = crew.ahead(_same, frames, room=_DECODED)
            enlarged = crew.ahead(_same, self._enlarged(decoded), room=_ENLARGED)
            yield from crew.ahead(self._at_size, enlarged, room=_ENLARGED)

    def _enlarged(self, frames: Iterator[Frame]) -> Iterator[tuple[tuple[int, int], Frame]]:
        images = map(self._all_but_the_last_pass, frames)
        stream = upscale_stream(self._backend, images, tile=self._tile, overlap=self._overlap)
        for size, result in stream:
            if isinstance(result, AetherError):
                raise result
            assert result is not None
            yield size, result

    def _all_but_the_last_pass(self, frame: Frame) -> tuple[tuple[int, int], Frame]:
        height, width = frame.shape[:2]
        size = self._options.size_of(width, height, self._backend.scale, even=True)
        for _ in range(passes_needed((width, height), size, self._backend.scale) - 1):
            frame = upscale_pixels(self._backend, frame, tile=self._tile, overlap=self._overlap)
        return size, frame

    @staticmethod
    def _at_size(enlarged: tuple[tuple[int, int], Frame]) -> Frame:
        size, frame = enlarged
        return frame if frame.shape[1::-1] == size else resized(frame, *size)


def _same(item: Any) -> Any:
    return item
