"""Folders that are watched: what appears in them becomes jobs once it is whole."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

from ..errors import ArgumentError, missing_extras
from .jobs import Job, is_source, plan_jobs

_LOOK_MILLISECONDS = 200
"""How often what has not settled is looked at."""


def watched_jobs(
    folders: Sequence[Path],
    output: Path,
    *,
    format_name: str | None = None,
    settle: float = 1.0,
    stop: Event | None = None,
) -> Iterator[list[Job]]:
    """Yield the jobs of what is in folders now, and then of what appears or changes, until `stop` is set.

    A file is taken when its size and time have stayed the same for `settle` seconds, so that what is still
    being copied is not read. The system tells of changes; on network drives that do not, set
    WATCHFILES_FORCE_POLLING in the environment (watchfiles.helpmanual.io). Raises `ArgumentError` for what is
    no folder, `OutputError` as `plan_jobs` does, and `MissingPackageError` without watchfiles.
    """
    with missing_extras():
        from watchfiles import watch
    for folder in folders:
        if not folder.is_dir():
            raise ArgumentError(f"{folder} is not a folder, and only folders are watched")
    changes = watch(
        *folders,
        watch_filter=None,
        stop_event=stop,
        rust_timeout=_LOOK_MILLISECONDS,
        yield_on_timeout=True,
        raise_interrupt=True,
    )
    next(changes)  # the watch has begun: nothing that appears from here on is missed
    yield plan_jobs(folders, output, format_name=format_name)
    waiting: dict[Path, _Seen] = {}
    for found in changes:
        for _, name in found:
            path = Path(name)
            if is_source(path) and path not in waiting and not path.is_relative_to(output.resolve()):
                waiting[path] = _Seen(path)
        settled = [path for path, seen in waiting.items() if seen.for_seconds() >= settle]
        for path in settled:
            del waiting[path]
        there = {path for path in settled if path.is_file()}
        if there:
            jobs = plan_jobs(folders, output, format_name=format_name)
            yield [job for job in jobs if job.source.resolve() in there]


class _Seen:
    """How long a file has been as it is."""

    def __init__(self, path: Path) -> None:
        self._path, self._state, self._since = path, _state(path), time.monotonic()

    def for_seconds(self) -> float:
        state = _state(self._path)
        if state != self._state:
            self._state, self._since = state, time.monotonic()
        return time.monotonic() - self._since


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # gone again, or renamed
        return None
    return found.st_size, found.st_mtime_ns
