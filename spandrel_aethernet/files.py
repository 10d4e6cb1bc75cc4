"""Files and folders that appear under their name whole or not at all, and what tells files apart."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import Hint, OutputError

_KEPT = Hint("choose another name, or replace it with {force}", force=True)


@contextmanager
def replacing(target: Path, *, force: bool = False) -> Generator[Path]:
    """Yield a path beside `target` to write to; it takes the target's name when the block ends well.

    Folders that are not there are made. Raises `OutputError` before the block if the target exists and
    `force` is False, and for any OSError inside it; whatever ends the block, nothing else is left.
    """
    check_target(target, force=force)
    partial = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    made: list[Path] = []
    try:
        made = _make_folders(target.parent)
        yield partial
        os.replace(partial, target)  # noqa: PTH105  (Path.replace says less about what it does)
    except BaseException as error:
        _remove(partial, made)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
        raise


def check_target(target: Path, *, force: bool) -> None:
    """Raise `OutputError` if `target` is a folder, cannot be looked at, or exists and `force` is False."""
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        _check_parent(target)
        return
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
    if stat.S_ISDIR(mode):
        raise OutputError(f"{target} is a folder: give the name of a file")
    if not force:
        raise OutputError(f"{target} exists and is kept", _KEPT)


def _check_parent(target: Path) -> None:
    """Raise `OutputError` if the file cannot be made in its folder, or in the nearest one that exists."""
    parent = next(folder for folder in target.absolute().parents if folder.exists())
    if not parent.is_dir():
        raise OutputError(f"{target} cannot be written: {parent} is not a folder")
    if not os.access(parent, os.W_OK):
        raise OutputError(f"{target} cannot be written: this user may not write to {parent}")


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; return the new ones, innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _remove(partial: Path, made: list[Path]) -> None:
    with suppress(OSError):
        partial.unlink(missing_ok=True)
    with suppress(OSError):  # another file may have come to lie there
        for folder in made:
            folder.rmdir()


@contextmanager
def replacing_folder(target: Path, *, force: bool = False, ours: Callable[[Path], bool]) -> Generator[Path]:
    """Yield a new folder beside `target`, which takes the target's name when the block ends well.

    An empty folder in the way gives way; one with something in it only if `force` is True and `ours`
    says that all in it is replaceable. Raises `OutputError` before the block otherwise, and for any
    OSError inside it; whatever ends the block, nothing else is left.
    """
    target = target.resolve()  # where a link leads to, so that the link stays
    _check_folder(target, force=force, ours=ours)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    made: list[Path] = []
    try:
        made = _make_folders(target.parent)
        partial.mkdir()
        yield partial
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        _remove(partial, made)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
        raise


def _check_folder(target: Path, *, force: bool, ours: Callable[[Path], bool]) -> None:
    if target == Path.cwd():
        raise OutputError(f"{target} is the folder this runs in: give the name of a new one")
    try:
        held = next(target.iterdir(), None)
    except (FileNotFoundError, NotADirectoryError) as error:
        if target.exists():
            raise OutputError(f"{target} is not a folder: give the name of a new one") from error
        return
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
    if held is None:
        return
    if not force:
        raise OutputError(f"{target} exists and is kept", _KEPT)
    if not ours(target):
        raise OutputError(f"{target} holds other files, such as {held.name}, and is kept: give a new folder")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal. Raises OSError if it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
