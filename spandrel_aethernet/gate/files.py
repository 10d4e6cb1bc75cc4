"""The one way in which a file from outside is opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import AetherError
from .limits import FILE_BYTES

_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
"""A pipe that nobody writes to opens at once with these, and so can be told from a file."""


def read_file(path: Path, error: type[AetherError], *, offset: int = 0, length: int | None = None) -> bytes:
    """Open a regular file once and return its bytes, or `length` of them from `offset` on; fewer at its end.

    Raises `error`, its sentence starting with the path, for a file that cannot be read, that is a pipe, a
    socket or a device, or that holds more than `FILE_BYTES`.
    """
    try:
        return _read(path, error, offset, length)
    except (OSError, MemoryError) as reason:
        if isinstance(reason, AetherError):
            raise
        said = getattr(reason, "strerror", None) or str(reason) or "there is not enough memory"
        raise error(f"{path} cannot be read: {said}") from reason
    except ValueError as reason:
        if isinstance(reason, AetherError):
            raise
        raise error(f"{str(path)!r} cannot be the name of a file: {reason}") from reason


def _read(path: Path, error: type[AetherError], offset: int, length: int | None) -> bytes:
    with open(path, "rb", opener=_open) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise error(f"{path} is no regular file but a pipe, a socket or a device: give a file")
        offset = min(offset, status.st_size)
        rest = status.st_size - offset
        count = rest if length is None else min(length, rest)
        if count > FILE_BYTES.value:
            raise error(
                f"{path} has {count} bytes, more than the {FILE_BYTES.value} that are read of one file: "
                f"set {FILE_BYTES.variable} in the environment if it is what it should be"
            )
        file.seek(offset)
        return file.read(count)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | _FLAGS)
