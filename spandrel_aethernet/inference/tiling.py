"""An image of any size as tiles of one size, and the tiles as an image again."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, Hint
from ..images.channels import feed_for, white
from .backend import Backend, Sample, means_of

DEFAULT_OVERLAP = 32
"""Pixels of context around what is kept of a tile; from the receptive-field radius on, tiles are exact."""
MEANS_PASSES = 1
"""Passes over all tiles before the one that counts, for a network that averages over its whole input."""
_BATCH_BUDGET = 2**28
"""Bytes of float32 output up to which tiles are gathered for one call of a backend."""


def choose_tiles(backend: Backend, tile: int | None = None, overlap: int | None = None) -> tuple[int, int]:
    """Return the side of the tiles and their overlap; what is None is chosen for the backend.

    `DEFAULT_OVERLAP` is for tiles that keep 16 pixels or more of their side; of a smaller one, as a network
    for small images only demands it, the overlap is a quarter. Raises `ArgumentError` as `check_tiles` does.
    """
    if overlap is not None:
        side = tile or max(backend.auto_tile(), 2 * overlap + 16)
    else:
        side = tile or backend.auto_tile()
        overlap = DEFAULT_OVERLAP if side >= 2 * DEFAULT_OVERLAP + 16 else side // 4
    check_tiles(side, overlap)
    return side, overlap


def check_tiles(tile: int, overlap: int) -> None:
    """Raise `ArgumentError` if nothing of a tile is kept between its overlaps, or for a negative overlap."""
    if overlap < 0:
        raise ArgumentError(f"overlap is {overlap}: expected 0 pixels or more")
    if tile <= 2 * overlap:
        raise ArgumentError(
            f"a tile of {tile} leaves nothing between overlaps of {overlap}",
            Hint(f"give a {{tile}} of more than {2 * overlap}"),
        )


class Span(NamedTuple):
    """One tile along one axis: the network sees start..stop, of which keep_start..keep_stop is kept."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


def spans(length: int, tile: int, overlap: int, *, exact: bool = False) -> list[Span]:
    """Cut an axis into as few tiles of one size as `tile` pixels at most allow (one if it is shorter).

    Every kept pixel has `overlap` pixels of context on both sides, except at the image's own edge. With
    `exact` they have `tile` pixels each, also where they overlap more than that for it.
    """
    if length <= tile:
        return [Span(0, length, 0, length)]
    if not exact:
        count = math.ceil((length - 2 * overlap) / (tile - 2 * overlap))
        tile = math.ceil((length - 2 * overlap) / count) + 2 * overlap
    starts = [*range(0, length - tile, tile - 2 * overlap), length - tile]
    cuts = [0, *((first + tile + second) // 2 for first, second in pairwise(starts)), length]
    return [Span(s, s + tile, *kept) for s, kept in zip(starts, pairwise(cuts), strict=True)]


class Place(NamedTuple):
    """One tile of an image."""

    rows: Span
    columns: Span

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what the network sees."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def kept(self, scale: int = 1) -> tuple[slice, slice]:
        """Where what is kept of the tile lies in the image, at `scale` times its size."""
        rows, columns = (slice(span.keep_start * scale, span.keep_stop * scale) for span in self)
        return rows, columns

    def inside(self, scale: int = 1) -> tuple[slice, slice]:
        """Where it lies in the tile."""
        rows, columns = (
            slice((span.keep_start - span.start) * scale, (span.keep_stop - span.start) * scale)
            for span in self
        )
        return rows, columns


class TiledImage(Generic[Sample]):
    """An image in tiles of one size, and the larger one that they become.

    An alpha channel that is opaque all over stays so without a pass through the network.
    """

    def __init__(self, backend: Backend, pixels: NDArray[Sample], tile: int, overlap: int) -> None:
        """Take H x W x C: uint8, uint16, or float32 of 0..1.

        Raises `ImageError` if the channels do not fit the network.
        """
        height, width, channels = pixels.shape
        top = white(pixels.dtype)
        has_alpha = channels in (2, 4) and channels != backend.channels
        opaque = has_alpha and bool((pixels[:, :, -1] == top).all())
        self._pixels, self._scale, self._top = pixels, backend.scale, top
        self._fed = channels - 1 if opaque else channels
        self.places = places(backend, (height, width), tile, overlap)
        self.left = len(self.places)
        """Tiles that are not there yet."""
        self.dtype = pixels.dtype
        self.tile = (*self.places[0].size, self._fed)
        self.at_once = _tiles_at_once(backend, self.tile)
        """How many tiles fill a batch."""
        self._output: NDArray[Sample] | None = None

    def window(self, place: Place) -> NDArray[Sample]:
        """Return what the network sees of a tile, h x w x C, C without an alpha that is opaque."""
        rows, columns = place
        return self._pixels[rows.start : rows.stop, columns.start : columns.stop, : self._fed]

    def put(self, place: Place, result: NDArray[Sample]) -> None:
        """Take what the network made of a tile."""
        self.left -= 1
        height, width, channels = self._pixels.shape
        if len(self.places) == 1 and channels == self._fed:
            self._output = result
            return
        if self._output is None:
            shape = height * self._scale, width * self._scale, channels
            self._output = np.full(shape, self._top, self._pixels.dtype)
        rows, columns = place.kept(self._scale)
        self._output[rows, columns, : self._fed] = result[place.inside(self._scale)]

    @property
    def output(self) -> NDArray[Sample]:
        """The larger image, when no tile is left."""
        assert self._output is not None
        return self._output


def places(backend: Backend, size: tuple[int, int], tile: int, overlap: int) -> list[Place]:
    """Return all tiles of an image of height x width, row by row, of `tile` at most each way."""
    rows, columns = (spans(side, tile, overlap, exact=backend.one_tile_size) for side in size)
    return [Place(row, column) for row in rows for column in columns]


def tile_count(backend: Backend, size: tuple[int, int], tile: int, overlap: int) -> int:
    """How many tiles an image of height x width has, those of the passes that gather means included."""
    tiles = len(places(backend, size, tile, overlap))
    return tiles * (1 + (MEANS_PASSES if tiles > 1 and means_of(backend) else 0))


def _tiles_at_once(backend: Backend, tile: tuple[int, int, int]) -> int:
    """Return how many tiles of height x width x channels fill a batch within the memory for it."""
    height, width, channels = tile
    passes = len(feed_for(channels, backend.channels))
    size = passes * height * width * backend.scale**2 * backend.channels * np.dtype(np.float32).itemsize
    return max(min(backend.max_batch // passes, _BATCH_BUDGET // size), 1)
