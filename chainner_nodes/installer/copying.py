# SPDX-License-Identifier: GPL-3.0-or-later
"""The fallback: the nodes copied into chaiNNer's own code, among its PyTorch nodes."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from .errors import InstallError
from .packages import package_files, same_files

_NODES = Path(__file__).parents[1]
_MARK = '"chaiNNer_aethernet"'


def copy_target(source: Path) -> Path:
    """Return the folder for the copy in chaiNNer's code."""
    return source / "packages" / "chaiNNer_pytorch" / "aethernet"


def check_target(target: Path) -> None:
    """Raise InstallError if the copy cannot be there."""
    if target.exists() and not is_ours(target):
        raise InstallError(f"{target} is in the way and is not ours: move it away")
    if not os.access(target.parent, os.W_OK):
        raise InstallError(f"{target.parent} cannot be written to: install without --copy, or as its owner")


def is_copied(target: Path) -> bool:
    """Say whether a folder holds exactly these nodes."""
    return same_files(_files(), target)


def is_ours(folder: Path) -> bool:
    """Say whether a folder is a copy of these nodes, of whatever version."""
    try:
        return _MARK in (folder / "__init__.py").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def copy_nodes(target: Path) -> None:
    """Copy the nodes; the folder appears whole, in the place of an older one."""
    partial = target.parents[1] / f".aethernet.{secrets.token_hex(8)}"  # chaiNNer loads no nodes from there
    try:
        for name, path in _files().items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, partial / name)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _files() -> dict[str, Path]:
    folder = _NODES / "aethernet"
    files = {path.relative_to(folder).as_posix(): path for path in package_files(folder)}
    return files | {"LICENSE": _NODES / "LICENSE"}
