"""Many images through one backend: tiles of one size share a batch, whichever image they are of."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import AetherError
from ..progress import SILENT, Progress
from .backend import Backend, Pending, Sample, means_of
from .tiling import DEFAULT_OVERLAP, MEANS_PASSES, Place, TiledImage, check_tiles

Key = TypeVar("Key")
Result = NDArray[Any] | AetherError
_AHEAD = 1
"""Batches that a backend has been given besides the one that is waited for."""


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
    stream = upscale_stream(
        backend, [(None, pixels)], tile=tile, overlap=overlap, on_tile=lambda _: progress.advance()
    )
    ((_, result),) = stream
    if not isinstance(result, np.ndarray):
        raise result or AssertionError
    return result


def upscale_stream(
    backend: Backend,
    images: Iterable[tuple[Key, NDArray[Any] | None]],
    *,
    tile: int,
    overlap: int = DEFAULT_OVERLAP,
    on_tile: Callable[[Key], object] = lambda _: None,
) -> Iterator[tuple[Key, Result | None]]:
    """Upscale images as `upscale_pixels` does, each with its key; they come in order, None for None.

    An image is asked for when the tiles of those before are with the backend or share a batch with its own.
    One that fails comes as its error, and the others go on; `on_tile` is called with an image's key for each
    of its tiles. Raises `ArgumentError` as `check_tiles` does.
    """
    check_tiles(tile, overlap)
    stream = _Stream(backend, on_tile)
    means = means_of(backend)
    for key, pixels in images:
        try:
            image = None if pixels is None else TiledImage(backend, pixels, tile, overlap)
        except AetherError as error:
            stream.add(_Entry(key, None, error))
            continue
        entry = _Entry(key, image)
        stream.add(entry)
        if means is not None and image is not None and len(image.places) > 1:
            yield from stream.finished(everything=True, besides=entry)
            with stream.knowing_means(entry):
                stream.run(entry)
                yield from stream.finished(everything=True)
        else:
            stream.run(entry)
            yield from stream.finished()
    yield from stream.finished(everything=True)


class _Entry(Generic[Key]):
    """An image on its way."""

    def __init__(self, key: Key, image: TiledImage[Any] | None, error: AetherError | None = None) -> None:
        self.key, self.image, self.error = key, image, error

    @property
    def done(self) -> bool:
        return self.image is None or self.error is not None or not self.image.left

    @property
    def result(self) -> Result | None:
        return self.error or (self.image and self.image.output)


class _Tile(NamedTuple):
    entry: _Entry[Any]
    place: Place


class _Stream(Generic[Key]):
    """Images in order, tiles that wait for a batch, and batches that the backend has been given."""

    def __init__(self, backend: Backend, on_tile: Callable[[Key], object]) -> None:
        self._backend, self._on_tile = backend, on_tile
        self._entries: deque[_Entry[Key]] = deque()
        self._waiting: list[_Tile] = []
        self._given: deque[tuple[list[_Tile], Pending]] = deque()

    def add(self, entry: _Entry[Key]) -> None:
        self._entries.append(entry)

    def finished(
        self, *, everything: bool = False, besides: _Entry[Key] | None = None
    ) -> Iterator[tuple[Key, Result | None]]:
        """Yield what is done, in order; with `everything`, all but `besides` is, and waited for."""
        if everything:
            self._give()
            self._take(leave=0)
        while self._entries and self._entries[0] is not besides and self._entries[0].done:
            entry = self._entries.popleft()
            yield entry.key, entry.result

    def run(self, entry: _Entry[Key]) -> None:
        """Let the tiles of an image wait, and give batches that are full to the backend."""
        image = entry.image
        if image is None:
            return
        for place in image.places:
            if entry.error:
                return
            if self._waiting and not self._fits(image):
                self._give()
            self._waiting.append(_Tile(entry, place))
            if len(self._waiting) >= image.at_once:
                self._give()

    def _fits(self, image: TiledImage[Any]) -> bool:
        other = self._waiting[0].entry.image
        return other is not None and (other.tile, other.dtype) == (image.tile, image.dtype)

    def _give(self) -> None:
        """Give the tiles that wait to the backend, and take what it has done."""
        tiles, self._waiting = self._waiting, []
        if not tiles:
            return
        try:
            self._given.append((tiles, self._backend.submit(_batch(tiles))))
        except AetherError as error:
            self._failed(tiles, error)
        self._take(leave=_AHEAD)

    def _take(self, *, leave: int) -> None:
        while len(self._given) > leave:
            tiles, pending = self._given.popleft()
            try:
                results = pending()
            except AetherError as error:
                self._failed(tiles, error)
                continue
            self._put(tiles, results)

    def _put(self, tiles: list[_Tile], results: NDArray[Any]) -> None:
        for (entry, place), result in zip(tiles, results, strict=True):
            assert entry.image is not None
            entry.image.put(place, result)
            self._on_tile(entry.key)

    def _failed(self, tiles: list[_Tile], error: AetherError) -> None:
        """Tell the image that a batch failed for, which is found by giving each image's tiles alone."""
        groups = [list(group) for _, group in groupby(tiles, lambda tile: id(tile.entry))]
        if len(groups) == 1:
            tiles[0].entry.error = tiles[0].entry.error or error
            return
        for group in groups:
            try:
                self._put(group, self._backend(_batch(group)))
            except AetherError as own:
                group[0].entry.error = own

    @contextmanager
    def knowing_means(self, entry: _Entry[Key]) -> Generator[None]:
        """Let a network that averages over its whole input know all of it while the block runs."""
        means, image = means_of(self._backend), entry.image
        assert means is not None
        assert image is not None
        with means.of_one_image():
            try:
                for _ in range(MEANS_PASSES):
                    for place in image.places:
                        with means.looking_at(*place.inside()):
                            self._backend(_batch([_Tile(entry, place)]))
                        self._on_tile(entry.key)
                    means.end_pass()
            except AetherError as error:
                entry.error = error
            yield


def _batch(tiles: list[_Tile]) -> NDArray[Any]:
    windows = [tile.entry.image.window(tile.place) for tile in tiles if tile.entry.image is not None]
    return windows[0][np.newaxis] if len(windows) == 1 else np.stack(windows)
