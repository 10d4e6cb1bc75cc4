"""Upscaling image files: which file becomes which, and one file from reading to writing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import AetherError, ImageError, OutputError
from ..files import check_target
from ..images.files import Picture, check_holds, format_of, read_picture, write_picture
from .backend import Backend
from .tiling import choose_tiles, tile_count, upscale_pixels


class Job(NamedTuple):
    """One image file and the file it becomes."""

    source: Path
    target: Path


def plan_jobs(inputs: Sequence[Path], output: Path, *, format_name: str | None = None) -> list[Job]:
    """Pair every input file, and every image of every input folder and below, with its target.

    A single input file goes to `output` itself if that has a suffix and is no folder; everything else
    goes into the folder `output` under its own name (and its own sub-folder), as `format_name` (a key
    of `FORMATS`, default png); the second of `a.jpg` and `a.png` becomes `a.png.png`. What is not there
    or cannot be read becomes a job that fails when its turn comes. Raises `OutputError` if two inputs
    would become the same file.
    """
    if len(inputs) == 1 and not inputs[0].is_dir() and output.suffix and not output.is_dir():
        if format_name not in (None, format_of(output)):
            raise OutputError(f"{output} does not go with the format {format_name}: leave one of them out")
        return [Job(inputs[0], output)]
    sources: dict[Path, Path] = {}
    for item in inputs:
        for source in _images_in(item, besides=output):
            inside = source.relative_to(item) if source != item else Path(item.resolve().name)
            target = (output / inside).with_suffix(f".{format_name or 'png'}")
            other = sources.setdefault(target, source)
            if other.suffix != source.suffix:
                target = target.with_name(f"{inside.name}{target.suffix}")
                other = sources.setdefault(target, source)
            if other.resolve() != source.resolve():
                raise OutputError(f"{other} and {source} would both become {target}: rename one of them")
    return [Job(source, target) for target, source in sources.items()]


def upscale_file(
    job: Job,
    backend: Backend,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    force: bool = False,
    on_start: Callable[[int], object] = lambda _tiles: None,
    on_tile: Callable[[], object] = lambda: None,
) -> Picture:
    """Upscale one file and return what was written.

    Depth, grey or colour, alpha, EXIF (of a TIFF only its orientation) and ICC profile are the source's.
    `tile` and `overlap` are in input pixels; see `choose_tiles` for None. `on_start` is given the
    number of tiles, `on_tile` is called after each. Raises `ImageError` or `OutputError`; then
    nothing is written, and what can be known before the network runs is raised before.
    """
    check_target(job.target, force=force)
    if job.target.resolve() == job.source.resolve():
        raise OutputError(f"{job.target} would replace its own source: choose another folder or name")
    picture = read_picture(job.source)
    check_holds(job.target, picture, scale=backend.scale)
    side, overlap = choose_tiles(backend, tile, overlap)
    on_start(tile_count(picture.pixels, side, overlap))
    try:
        pixels = upscale_pixels(backend, picture.pixels, tile=side, overlap=overlap, on_tile=on_tile)
    except AetherError as error:
        raise ImageError(f"{job.source}: {error}") from error
    result = Picture(pixels, picture.carried)
    write_picture(result, job.target, force=force)
    return result


def _images_in(item: Path, *, besides: Path) -> list[Path]:
    """Return the images at and below a folder in order, or the item itself if there are none.

    Folders that cannot be looked into are among them.
    """
    besides = besides.resolve()
    found: list[Path] = []

    def unreadable(error: OSError) -> None:
        found.append(Path(error.filename))

    for folder, subfolders, names in os.walk(item, onerror=unreadable):
        here = Path(folder)
        subfolders[:] = [name for name in subfolders if (here / name).resolve() != besides]
        found += [here / name for name in names if format_of(here / name)]
    return sorted(found) or [item]
