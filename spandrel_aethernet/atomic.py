"""Files that appear under their name whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError


@contextmanager
def replacing(target: Path, *, force: bool = False) -> Generator[Path]:
    """Yield a path beside `target` to write to; it takes the target's name when the block ends well.

    The folder is made if it is not there. Raises `OutputError` before the block if the target exists
    and `force` is False, and for any OSError inside it; whatever ends the block, no other file is left.
    """
    check_target(target, force=force)
    partial = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, target)  # noqa: PTH105  (Path.replace says less about what it does)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        _remove(partial)


def check_target(target: Path, *, force: bool) -> None:
    """Raise `OutputError` if `target` is a folder, or exists and `force` is False."""
    if target.is_dir():
        raise OutputError(f"{target} is a folder: give the name of a file")
    if target.exists() and not force:
        raise OutputError(f"{target} exists and is kept: choose another name, or replace it with --force")


def _remove(partial: Path) -> None:
    try:
        partial.unlink(missing_ok=True)
    except NotADirectoryError:  # the target's folder turned out to be a file
        return
