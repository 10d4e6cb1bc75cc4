"""Upscaling image files: reading, the network and writing overlap."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import AetherError, ImageError, Message, OutputError
from ..files import check_target
from ..images.files import Picture, check_holds, encode_picture, read_picture, write_encoded
from ..images.resize import passes_needed, resized
from ..progress import SILENT, Progress
from .backend import Backend
from .frames import FrameOptions
from .jobs import Job
from .pipeline import Crew, Threads
from .stream import upscale_pixels, upscale_stream
from .tiling import choose_tiles, tile_count

Item = TypeVar("Item")


@dataclass(frozen=True)
class FileOptions(FrameOptions):
    """How files are upscaled, and which."""

    force: bool = False
    """Replace files that exist."""
    if_newer: bool = False
    """Replace those that are older than their source."""


class Outcome(NamedTuple):
    """What became of one file."""

    job: Job
    state: Literal["written", "skipped", "failed"]
    message: Message | None = None
    """Why it failed."""


class _Work(NamedTuple):
    """A file on its way: a picture, or already what became of it."""

    job: Job
    picture: Picture | None = None
    size: tuple[int, int] = (0, 0)
    """Width and height to be written."""
    passes: int = 1
    force: bool = False
    outcome: Outcome | None = None


def upscale_files(
    jobs: Iterable[Job],
    backend: Backend,
    options: FileOptions | None = None,
    *,
    threads: Threads | None = None,
    progress: Progress = SILENT,
) -> Generator[Outcome]:
    """Upscale files, and tell in their order what became of each; one that fails does not stop the rest.

    Depth, grey or colour, alpha, EXIF (of a TIFF only its orientation) and ICC profile are the source's. What
    exists is skipped, unless `options` or the job say otherwise. While the network runs, `threads` read what
    comes next and write what it has made, a few files ahead and behind, so that memory does not grow with
    their number. `progress` begins a step for each file, called as its source is, of as many parts as
    there are tiles. Closing the generator ends all of it and leaves no partial file. Raises
    `ArgumentError` as `check_tiles` does.
    """
    options, threads = options or FileOptions(), threads or Threads.default()
    tile, overlap = choose_tiles(backend, options.tile, options.overlap)
    with Crew() as crew:
        load = partial(_caught, partial(_load, options, backend.scale))
        loaded = crew.ahead(load, map(_Work, jobs), threads=threads.load, room=threads.load)
        enlarged = crew.ahead(_same, _enlarge(loaded, backend, tile, overlap, progress))
        save = partial(_caught, partial(_save, crew.committing))
        for work in crew.ahead(save, enlarged, threads=threads.save, room=threads.save):
            yield work.outcome or Outcome(work.job, "written")


def upscale_file(
    job: Job, backend: Backend, options: FileOptions | None = None, *, progress: Progress = SILENT
) -> Picture:
    """Upscale one file as `upscale_files` does, and return what was written.

    Raises `ArgumentError` as `check_tiles` does, `ImageError` or `OutputError`, which is also for a target
    that exists; then nothing is written, and what can be known before the network runs is raised before.
    """
    options = options or FileOptions()
    tile, overlap = choose_tiles(backend, options.tile, options.overlap)
    work = _load(options, backend.scale, _Work(job._replace(named=True)))
    (work,) = _enlarge([work], backend, tile, overlap, progress)
    if work.outcome is not None and work.outcome.message is not None:
        raise ImageError(work.outcome.message.sentence, work.outcome.message.hint)
    return _save(nullcontext, work).picture or Picture(np.empty((0, 0, 1), np.uint8))


def _same(work: Item) -> Item:
    return work


def _caught(step: Callable[[_Work], _Work], work: _Work) -> _Work:
    """Take a step with a file that is on its way, and let an error be what became of it."""
    if work.outcome is not None:
        return work
    try:
        return step(work)
    except AetherError as error:
        return _Work(work.job, outcome=Outcome(work.job, "failed", error.message))


def _load(options: FileOptions, scale: int, work: _Work) -> _Work:
    """Read a file, unless it is to be skipped; what can be known before the network runs is raised."""
    source, target, _ = job = work.job
    replace = replaces(job, options)
    if is_skipped(job, options):
        return _Work(job, outcome=Outcome(job, "skipped"))
    check_target(target, force=replace)
    if target.resolve() == source.resolve():
        raise OutputError(f"{target} would replace its own source: choose another folder or name")
    picture = read_picture(source)
    height, width = picture.pixels.shape[:2]
    size = options.size_of(width, height, scale)
    check_holds(target, picture, side=max(size))
    return _Work(job, picture, size, passes_needed((width, height), size, scale), replace)


def is_skipped(job: Job, options: FileOptions) -> bool:
    """Tell whether the target is there already, and is neither to be replaced nor was asked for by name."""
    exists = os.path.lexists(job.target) and not job.target.is_dir()
    return exists and not job.named and not replaces(job, options)


def replaces(job: Job, options: FileOptions) -> bool:
    """Tell whether a target that exists is replaced: with `if_newer`, not if either cannot be looked at."""
    if options.force or not options.if_newer:
        return options.force
    try:
        return job.source.stat().st_mtime_ns > job.target.stat().st_mtime_ns
    except OSError:
        return False


def _enlarge(
    loaded: Iterable[_Work], backend: Backend, tile: int, overlap: int, progress: Progress
) -> Iterator[_Work]:
    """Run the network on each picture."""

    def advance(work: _Work) -> None:
        progress.advance(work.job.source.name)

    def all_but_the_last_pass() -> Iterator[tuple[_Work, NDArray[Any] | None]]:
        for work in loaded:
            if work.picture is None:
                yield work, None
                continue
            pixels: NDArray[Any] = work.picture.pixels
            progress.begin(work.job.source.name, _tiles(backend, pixels.shape, work.passes, tile, overlap))
            try:
                for _ in range(work.passes - 1):
                    pixels = upscale_pixels(backend, pixels, tile=tile, overlap=overlap, progress=progress)
            except AetherError as error:
                yield _failed(work, error), None
            else:
                yield work, pixels

    images = all_but_the_last_pass()
    for work, result in upscale_stream(backend, images, tile=tile, overlap=overlap, on_tile=advance):
        if isinstance(result, AetherError):
            yield _failed(work, result)
        elif result is None or work.picture is None:
            yield work
        else:
            yield work._replace(picture=Picture(result, work.picture.metadata))


def _tiles(backend: Backend, shape: tuple[int, ...], passes: int, tile: int, overlap: int) -> int:
    """How many tiles all passes have."""
    height, width = shape[:2]
    factors = [backend.scale**done for done in range(passes)]
    return sum(tile_count(backend, (height * factor, width * factor), tile, overlap) for factor in factors)


def _failed(work: _Work, error: AetherError) -> _Work:
    message = Message(f"{work.job.source}: {error.message.sentence}", error.message.hint)
    return _Work(work.job, outcome=Outcome(work.job, "failed", message))


def _save(committing: Callable[[], Any], work: _Work) -> _Work:
    """Write what the network made, at its size."""
    assert work.picture is not None
    pixels = work.picture.pixels
    if pixels.shape[1::-1] != work.size:
        pixels = resized(pixels, *work.size)
    picture = Picture(pixels, work.picture.metadata)
    encoded = encode_picture(picture, work.job.target)
    with committing():
        write_encoded(encoded, work.job.target, force=work.force)
    return work._replace(picture=picture)
