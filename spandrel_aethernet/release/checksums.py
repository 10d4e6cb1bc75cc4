"""`SHA256SUMS`, as sha256sum writes and checks it."""

from __future__ import annotations

from pathlib import Path

from ..files import sha256

NAME = "SHA256SUMS"


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files in a folder, in order of their names."""
    names = sorted(path.name for path in folder.iterdir() if path.name != NAME)
    lines = [f"{sha256(folder / name)}  {name}\n" for name in names]
    (folder / NAME).write_text("".join(lines), encoding="utf-8", newline="\n")


def holds_nothing_else(folder: Path) -> bool:
    """Tell whether a folder has checksums and no file that they do not list."""
    try:
        listed = [
            line.partition("  ")[2] for line in (folder / NAME).read_text(encoding="utf-8").splitlines()
        ]
        return {path.name for path in folder.iterdir()} <= {NAME, *listed}
    except (OSError, UnicodeError):
        return False
