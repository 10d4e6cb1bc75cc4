# SPDX-License-Identifier: GPL-3.0-or-later
"""What of ours is in a Python and in chaiNNer's code now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .packages import MODELS, NODES, is_current, our_packages
from .python import Python
from .receipt import BOOT, BOOT_LINE, Receipt, read_receipt

_NODES_FILE = "aethernet_info.py"


@dataclass(frozen=True)
class State:
    """What was found: the receipt, the text of the boot line, and an earlier version's copy of our nodes."""

    python: Python
    receipt: Receipt | None
    boot: str | None
    copy: Path | None

    @property
    def way(self) -> Literal["boot"] | None:
        """How the nodes get in now, if they do."""
        there = MODELS in self.python.distributions and NODES in self.python.own
        return "boot" if there and self.boot is not None else None

    @property
    def version(self) -> str | None:
        """Which version of ours is installed."""
        return self.python.version_of(MODELS)

    @property
    def is_empty(self) -> bool:
        """Whether nothing of ours is there."""
        return (
            self.receipt is None and self.boot is None and self.copy is None and NODES not in self.python.own
        )

    @property
    def is_current(self) -> bool:
        """Whether this very version is in."""
        in_place = self.receipt is not None and self.boot == BOOT_LINE and self.copy is None
        return in_place and all(is_current(package, self.python) for package in our_packages().values())


def look(python: Python) -> State:
    """Find what is there. Raises InstallError for a receipt that cannot be read."""
    receipt = read_receipt(python.site)
    boot = python.site / BOOT
    text = boot.read_text(encoding="utf-8") if boot.is_file() else None
    copy = Path(receipt.copy) if receipt and receipt.copy else None
    return State(python, receipt, text, copy if copy and (copy / _NODES_FILE).is_file() else None)
