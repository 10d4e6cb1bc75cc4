"""What the cache of engines holds, and its removal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import EngineError, OutputError
from ..partials import remove, remove_abandoned
from . import SUFFIX
from .cache import KEY_LENGTH, cache_folder, lock_path
from .sidecar import EngineInfo, describe, read_sidecar, sidecar_path

_NAME = re.compile(rf"([0-9a-f]{{{KEY_LENGTH}}})(\.engine(\.json)?|\.lock)")


@dataclass(frozen=True)
class CachedEngine:
    """One engine in the cache."""

    path: Path
    size: int
    """Bytes, the description's included."""
    info: EngineInfo | None
    """None if it is damaged, or its description is not there: it is built again when it is used."""
    built: datetime
    used: datetime
    """When it was last asked for."""

    @property
    def source(self) -> str | None:
        """The name of the file that it was built from, without its folder."""
        return self.info and self.info.source

    def describe(self) -> dict[str, Any]:
        """Return it as a JSON-ready document."""
        times = {"built": self.built.isoformat(), "used": self.used.isoformat()}
        return {
            "file": str(self.path),
            "size": self.size,
            **times,
            **(describe(self.info) if self.info else {}),
        }


@dataclass(frozen=True)
class Cleared:
    """What was removed of the cache."""

    removed: Sequence[CachedEngine]
    in_use: Sequence[Path]
    """Engines that are being built right now, and were left alone."""


def cached_engines(folder: Path | None = None) -> list[CachedEngine]:
    """Return what the cache holds, the last used first. Files that are not its own are passed over."""
    found = [_entry(engine) for engine in _engines(folder or cache_folder())]
    return sorted((entry for entry in found if entry), key=lambda entry: entry.used, reverse=True)


def clear_engines(
    folder: Path | None = None, *, names: Sequence[str] = (), unused_days: float = 0
) -> Cleared:
    """Remove engines, with what killed builds left of them; by default all.

    `names` are names of engine files, or of the files that engines were built from; `unused_days` keeps what
    was used within so many days. Raises `EngineError` for a name that nothing in the cache has, and then
    removes nothing, and `OutputError` for what cannot be removed.
    """
    folder = folder or cache_folder()
    entries = {engine: _entry(engine) for engine in _engines(folder)}
    known = {name for entry in entries.values() if entry for name in (entry.path.name, entry.source)}
    if unknown := [name for name in names if name not in known]:
        raise EngineError(f"no engine of {unknown[0]} is kept in {folder}")
    latest = datetime.now(timezone.utc) - timedelta(days=unused_days)
    removed: list[CachedEngine] = []
    in_use: list[Path] = []
    for engine, entry in entries.items():
        wanted = not names if entry is None else not names or {entry.path.name, entry.source} & {*names}
        if not wanted or (entry and unused_days and entry.used > latest):
            continue
        if not _removed(engine):
            in_use.append(engine)
        elif entry:
            removed.append(entry)
    return Cleared(removed, in_use)


def _engines(folder: Path) -> list[Path]:
    """Return the path of each engine of which anything lies in the cache, were it a lock alone."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:  # no engine was built yet
        return []
    keys = {found[1] for found in map(_NAME.fullmatch, names) if found}
    return [folder / f"{key}{SUFFIX}" for key in sorted(keys)]


def _entry(engine: Path) -> CachedEngine | None:
    """Describe an engine; None if there is only a lock or a description of it."""
    try:
        status = engine.stat()
    except OSError:
        return None
    size, used = status.st_size, status.st_mtime
    with suppress(OSError):
        beside = sidecar_path(engine).stat()
        size, used = size + beside.st_size, beside.st_mtime
    info = None
    with suppress(EngineError):
        info = read_sidecar(engine)
    return CachedEngine(engine, size, info, _time(status.st_mtime), _time(used))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _removed(engine: Path) -> bool:
    """Remove an engine and all that belongs to it, unless a process builds it right now."""
    lock = FileLock(lock_path(engine))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        raise OutputError(
            f"{engine} cannot be removed: {getattr(error, 'strerror', None) or error}"
        ) from error
    try:
        for path in (sidecar_path(engine), engine):
            remove(path)
            remove_abandoned(path)
        remove(lock_path(engine))
    finally:
        lock.release()
    if engine.exists():
        raise OutputError(f"{engine} cannot be removed: it is in use, or this user may not")
    return True
