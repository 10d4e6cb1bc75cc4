"""`SHA256SUMS`, as sha256sum writes and checks it."""

from __future__ import annotations

import os
from pathlib import Path

from ..files import sha256

NAME = "SHA256SUMS"


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files in a folder and below, in order of their names.

    Files below are named by their path, with slashes.
    """
    names = sorted(name for name in _held(folder) if name != NAME)
    lines = [f"{sha256(folder / name)}  {name}\n" for name in names]
    (folder / NAME).write_text("".join(lines), encoding="utf-8", newline="\n")


def holds_nothing_else(folder: Path) -> bool:
    """Tell whether a folder has checksums and no file, nor an empty folder, that they do not list."""
    try:
        listed = [
            line.partition("  ")[2] for line in (folder / NAME).read_text(encoding="utf-8").splitlines()
        ]
        return _held(folder) <= {NAME, *listed}
    except (OSError, UnicodeError):
        return False


def _held(folder: Path) -> set[str]:
    """Return all files in a folder and below; links and empty folders too, which no checksum is of.

    Raises OSError for a folder that cannot be looked into.
    """

    def unreadable(error: OSError) -> None:
        raise error

    found: set[str] = set()
    for place, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        found |= {(here / name).relative_to(folder).as_posix() for name in (*files, *links)}
        if not files and not folders and here != folder:
            found.add(here.relative_to(folder).as_posix())
    return found
