"""Files and folders that appear under their name whole or not at all, and what tells files apart."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import Hint, OutputError
from .partials import abandoned, is_partial, partial_path, remove, remove_abandoned

_OLD = ".old"
"""The suffix of a folder that another takes the name of."""
_KEPT = Hint("choose another name, or replace it with {force}", force=True)


@contextmanager
def replacing(target: Path, *, force: bool = False) -> Generator[Path]:
    """Yield a path beside `target` to write to; it takes the target's name when the block ends well.

    Folders that are not there are made, and what a killed run left of the same target is removed. Raises
    `OutputError` before the block, and after it, if the target exists and `force` is False, and for any
    OSError inside it; whatever ends the block, nothing else is left.
    """
    check_target(target, force=force)
    partial = partial_path(target, target.suffix)
    missing: list[Path] = []
    try:
        missing = _missing_folders(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(target)
        yield partial
        check_target(target, force=force)  # another process may have written it meanwhile
        os.replace(partial, target)  # noqa: PTH105  (Path.replace says less about what it does)
    except BaseException as error:
        remove(partial)
        _remove_empty(missing)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise _unwritable(target, error) from error
        raise


def _unwritable(target: Path, error: OSError) -> OutputError:
    return OutputError(f"{target} cannot be written: {error.strerror or error}")


def check_target(target: Path, *, force: bool) -> None:
    """Raise `OutputError` if `target` is a folder, cannot be looked at, or exists and `force` is False."""
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        _check_parent(target)
        return
    except OSError as error:
        raise _unwritable(target, error) from error
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


def _missing_folders(target: Path) -> list[Path]:
    """Return the folders above `target` that are not there, innermost first.

    Raises FileNotFoundError if a folder that was being made is among them: somebody removed it.
    """
    missing = [folder for folder in target.parents if not folder.exists()]
    if any(map(is_partial, missing)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return missing


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):  # another file may have come to lie there
        for folder in folders:
            folder.rmdir()


@contextmanager
def replacing_folder(target: Path, *, force: bool = False, ours: Callable[[Path], bool]) -> Generator[Path]:
    """Yield a new folder beside `target`, which takes the target's name when the block ends well.

    An empty folder in the way gives way; one with something in it only if `force` is True and `ours`
    says that all in it is replaceable. What a killed run left of the same target is removed, or put back
    if it was just being replaced. Raises `OutputError` before the block, and after it, otherwise, and for any
    OSError inside it; whatever ends the block, nothing else is left.
    """
    target = target.resolve()  # where a link leads to, so that the link stays
    _put_back(target)
    _check_folder(target, force=force, ours=ours)
    partial, old = partial_path(target, ""), partial_path(target, _OLD)
    missing: list[Path] = []
    try:
        missing = _missing_folders(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(target)
        partial.mkdir()
        with _named(target, partial):
            yield partial
        _check_folder(target, force=force, ours=ours)
        _exchange(target, partial, old)
    except BaseException as error:
        remove(partial)
        _remove_empty(missing)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise _unwritable(target, error) from error
        raise
    finally:
        if target.exists():  # else `old` is all there is, and the next run gives it its name again
            remove(old)


@contextmanager
def _named(target: Path, partial: Path) -> Generator[None]:
    """Let errors tell of the folder that is to be, and of its removal rather than of what that led to."""
    try:
        yield
    except Exception as error:
        if not partial.exists():
            reason = f"{partial.name}, in which it was being made, is gone"
            raise OutputError(f"{target} cannot be written: {reason}") from error
        if isinstance(error, OutputError):
            sentence = error.message.sentence.replace(str(partial), str(target))
            raise OutputError(sentence, error.message.hint) from error
        raise


def _exchange(target: Path, partial: Path, old: Path) -> None:
    """Give `partial` the name of `target`; what has it becomes `old`."""
    try:
        if target.exists():
            target.rename(old)
        partial.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise


def _put_back(target: Path) -> None:
    """Give a folder its name again that a killed run took from it and had no new one for yet."""
    if not target.exists():
        for path in abandoned(target):
            if path.suffix == _OLD:
                with suppress(OSError):
                    path.rename(target)
                return


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
        raise _unwritable(target, error) from error
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
