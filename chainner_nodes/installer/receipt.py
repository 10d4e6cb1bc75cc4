# SPDX-License-Identifier: GPL-3.0-or-later
"""What was added to a Python, written down beside it so that exactly that can be taken away again."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .python import InstallError

RECEIPT, BOOT = "chainner_aethernet.json", "chainner_aethernet.pth"
"""Files in site-packages: the receipt, and the line that Python runs at its start."""

# Python's own messages about a line that fails would appear in every program that this Python runs. The
# package is taken out again so that `python -m chainner_nodes` in a newer clone runs the clone's.
BOOT_LINE = (
    'import sys; exec("try:\\n import chainner_nodes._boot\\nexcept Exception:\\n pass"); '
    'sys.modules.pop("chainner_nodes", None)\n'
)


@dataclass(frozen=True)
class Receipt:
    """What was added: distributions with their files and folders in site-packages."""

    distributions: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    copy: str | None = None
    """A folder in chaiNNer's own code into which an earlier version of this project put its nodes."""

    def write(self, site: Path) -> None:
        """Write it into site-packages, replacing another."""
        write_whole(site / RECEIPT, json.dumps(asdict(self), indent=2) + "\n")


def read_receipt(site: Path) -> Receipt | None:
    """Return the receipt in site-packages, or None. Raises InstallError if it cannot be read."""
    path = site / RECEIPT
    try:
        return Receipt(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise InstallError(f"{path} cannot be read: {error}") from error


def write_whole(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    partial = path.with_name(f".{secrets.token_hex(8)}")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)  # noqa: PTH105  (Path.replace says less about what it does)
    finally:
        partial.unlink(missing_ok=True)
