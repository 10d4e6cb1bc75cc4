"""Which files become which."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import OutputError
from ..images.files import format_of

_VIDEOS = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts"}
    | {".webm", ".wmv"}
)
_WRITTEN = frozenset({".m4v", ".mkv", ".mov", ".mp4", ".webm"})
"""Videos that become a file of the same suffix; all others become `.mkv`, which holds whatever they hold."""


class Job(NamedTuple):
    """One image or video file and the file it becomes."""

    source: Path
    target: Path
    named: bool = False
    """Whether the target itself was asked for, and not only its folder: then it is never skipped."""

    @property
    def is_video(self) -> bool:
        """Whether the source is named like a video."""
        return is_video(self.source)


def is_video(path: Path) -> bool:
    """Whether a file is named like a video."""
    return path.suffix.lower() in _VIDEOS


def is_source(path: Path) -> bool:
    """Whether a file is named like an image or a video."""
    return format_of(path) is not None or is_video(path)


def plan_jobs(inputs: Sequence[Path], output: Path, *, format_name: str | None = None) -> list[Job]:
    """Pair every input file, and every image and video of every input folder and below, with its target.

    A single input file goes to `output` itself if that has a suffix and is not a folder; everything else
    goes into the folder `output` under its own name (and its own sub-folder), an image as `format_name`
    (a key of `FORMATS`, default png); the second of `a.jpg` and `a.png` becomes `a.png.png`. What is not
    there or cannot be read becomes a job that fails when its turn comes. Raises `OutputError` if two
    inputs would become the same file.
    """
    if len(inputs) == 1 and not inputs[0].is_dir() and output.suffix and not output.is_dir():
        if format_name is not None and format_name != format_of(output):
            raise OutputError(f"{output} does not go with the format {format_name}: leave one of them out")
        return [Job(inputs[0], output, named=True)]
    sources: dict[Path, Path] = {}
    for item in inputs:
        for source in _files_in(item, besides=output):
            inside = source.relative_to(item) if source != item else Path(item.resolve().name)
            target = (output / inside).with_suffix(_suffix(source, format_name))
            other = sources.setdefault(target, source)
            if other.suffix != source.suffix:
                target = target.with_name(f"{inside.name}{target.suffix}")
                other = sources.setdefault(target, source)
            if other.resolve() != source.resolve():
                raise OutputError(f"{other} and {source} would both become {target}: rename one of them")
    return [Job(source, target) for target, source in sources.items()]


def _suffix(source: Path, format_name: str | None) -> str:
    """Return the suffix of what a file becomes in a folder."""
    if not is_video(source):
        return f".{format_name or 'png'}"
    suffix = source.suffix.lower()
    return suffix if suffix in _WRITTEN else ".mkv"


def _files_in(item: Path, *, besides: Path) -> list[Path]:
    """Return the images and videos at and below a folder in order, or the item itself if there are none.

    Folders that cannot be looked into are among them.
    """
    besides = besides.resolve()
    found: list[Path] = []

    def unreadable(error: OSError) -> None:
        found.append(Path(error.filename))

    for folder, subfolders, names in os.walk(item, onerror=unreadable):
        here = Path(folder)
        subfolders[:] = [name for name in subfolders if (here / name).resolve() != besides]
        found += [here / name for name in names if is_source(here / name)]
    return sorted(found) or [item]
