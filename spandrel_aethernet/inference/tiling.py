"""Upscaling an image of any size in tiles of one size."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import islice, pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import AetherError, ArgumentError, Hint
from ..images.channels import feed_for, from_network, to_network, white
from ..progress import SILENT, Progress
from .backend import Backend, means_of

Sample = TypeVar("Sample", bound=np.uint8 | np.uint16 | np.float32)

DEFAULT_OVERLAP = 32
"""Pixels of context around what is kept of a tile; from the receptive-field radius on, tiles are exact."""
_NOT_FINITE = Hint("if it ran in float16, take an fp32 file, or for a checkpoint {dtype}", dtype="float32")
_MEANS_PASSES = 1
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


def spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Cut an axis into tiles of exactly `tile` pixels (or the whole axis if it is shorter).

    Every kept pixel has `overlap` pixels of context on both sides, except at the image's own edge.
    """
    if length <= tile:
        return [Span(0, length, 0, length)]
    starts = [*range(0, length - tile, tile - 2 * overlap), length - tile]
    cuts = [0, *((first + tile + second) // 2 for first, second in pairwise(starts)), length]
    return [Span(s, s + tile, *kept) for s, kept in zip(starts, pairwise(cuts), strict=True)]


def tile_count(backend: Backend, pixels: NDArray[Any], tile: int, overlap: int) -> int:
    """How many tiles `upscale_pixels` will run, those of the passes that gather means included."""
    height, width = pixels.shape[:2]
    tiles = len(spans(height, tile, overlap)) * len(spans(width, tile, overlap))
    return tiles * (1 + (_MEANS_PASSES if tiles > 1 and means_of(backend) else 0))


def upscale_pixels(
    backend: Backend,
    pixels: NDArray[Sample],
    *,
    tile: int,
    overlap: int = DEFAULT_OVERLAP,
    progress: Progress = SILENT,
) -> NDArray[Sample]:
    """Upscale H x W x C (uint8, uint16, or float32 of 0..1) to H·scale x W·scale x C of that dtype, clamped.

    `tile` is the side of what the network sees at once, `overlap` how much of it on each side is
    context only; `progress` advances by one for each tile. Tiles, all of one size, go to the backend up to
    `max_batch` at once, as far as their output takes no more than 256 MiB. Memory grows with the tile
    and with the size of input and output, nothing else. An alpha channel that is opaque all
    over stays so without a pass through the network. Raises `ArgumentError` as `check_tiles` does,
    `ImageError` if the channels do not fit the network, and `AetherError` if its output is not finite.
    """
    check_tiles(tile, overlap)
    height, width, channels = pixels.shape
    scale, top = backend.scale, white(pixels.dtype)
    has_alpha = channels in (2, 4) and channels != backend.channels
    opaque = has_alpha and bool((pixels[:, :, -1] == top).all())
    fed = channels - 1 if opaque else channels
    feed = feed_for(fed, backend.channels)
    output = np.full((height * scale, width * scale, channels), top, pixels.dtype)
    grid = _grid(height, width, tile, overlap)
    at_once = _tiles_at_once(backend, (len(feed), min(tile, height), min(tile, width)))

    def read(place: tuple[Span, Span]) -> NDArray[np.float32]:
        return to_network(_window(pixels, place, fed), feed)

    with _means_of_the_whole(backend, list(_grid(height, width, tile, overlap)), read, progress):
        while places := list(islice(grid, at_once)):
            values = backend(np.concatenate([read(place) for place in places]))
            if not np.isfinite(values).all():
                raise AetherError("the network's output is not finite", _NOT_FINITE)
            for (rows, columns), output_tile in zip(places, np.split(values, len(places)), strict=True):
                result = from_network(output_tile, feed, pixels.dtype)
                kept = result[_inside(rows, scale), _inside(columns, scale)]
                output[_kept(rows, scale), _kept(columns, scale), :fed] = kept
                progress.advance()
    return output


@contextmanager
def _means_of_the_whole(
    backend: Backend,
    places: list[tuple[Span, Span]],
    read: Callable[[tuple[Span, Span]], NDArray[np.float32]],
    progress: Progress,
) -> Generator[None]:
    """Let a network that averages over its whole input know the means of all tiles, while the block runs."""
    means = means_of(backend)
    if means is None or len(places) == 1:
        yield
        return
    with means.of_one_image():
        for _ in range(_MEANS_PASSES):
            for place in places:
                rows, columns = place
                with means.looking_at(_inside(rows, 1), _inside(columns, 1)):
                    backend(read(place))
                progress.advance()
            means.end_pass()
        yield


def _tiles_at_once(backend: Backend, fed: tuple[int, int, int]) -> int:
    """Return how many tiles, each `fed` as N x height x width, fill a batch within the memory for it."""
    passes, height, width = fed
    size = passes * height * width * backend.scale**2 * backend.channels * np.dtype(np.float32).itemsize
    return max(min(backend.max_batch // passes, _BATCH_BUDGET // size), 1)


def _grid(height: int, width: int, tile: int, overlap: int) -> Iterator[tuple[Span, Span]]:
    for rows in spans(height, tile, overlap):
        for columns in spans(width, tile, overlap):
            yield rows, columns


def _window(pixels: NDArray[Sample], place: tuple[Span, Span], channels: int) -> NDArray[Sample]:
    rows, columns = place
    return pixels[rows.start : rows.stop, columns.start : columns.stop, :channels]


def _kept(span: Span, scale: int) -> slice:
    return slice(span.keep_start * scale, span.keep_stop * scale)


def _inside(span: Span, scale: int) -> slice:
    return slice((span.keep_start - span.start) * scale, (span.keep_stop - span.start) * scale)
