# SPDX-License-Identifier: GPL-3.0-or-later
"""What of ours is in a Python and in chaiNNer's code now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .copying import copy_target, is_copied, is_ours
from .packages import MODELS, NODES, is_current, our_packages
from .places import Chainner
from .python import Python
from .receipt import BOOT, BOOT_LINE, Receipt, read_receipt

Way = Literal["boot", "copy"]


@dataclass(frozen=True)
class State:
    """What was found: the receipt, the text of the boot line, the copies of our nodes."""

    python: Python
    receipt: Receipt | None
    boot: str | None
    copies: frozenset[Path]

    @property
    def way(self) -> Way | None:
        """How the nodes get in now, if they do."""
        if MODELS not in self.python.distributions:
            return None
        if self.boot is not None and NODES in self.python.own:
            return "boot"
        return "copy" if self.copies else None

    @property
    def version(self) -> str | None:
        """Which version of ours is installed."""
        return self.python.version_of(MODELS)

    @property
    def is_empty(self) -> bool:
        """Whether nothing of ours is there."""
        return self.receipt is None and self.boot is None and not self.copies and NODES not in self.python.own

    def is_current(self, target: Path | None) -> bool:
        """Say whether this version is in by the boot line, or by a copy in `target`, and by nothing else."""
        packages = our_packages()
        if self.receipt is None or not is_current(packages[MODELS], self.python):
            return False
        if target is None:
            return self.boot == BOOT_LINE and not self.copies and is_current(packages[NODES], self.python)
        alone = self.boot is None and NODES not in self.python.own and self.copies == frozenset({target})
        return alone and is_copied(target)


def look(python: Python, chainner: Chainner) -> State:
    """Find what is there. Raises InstallError for a receipt that cannot be read."""
    receipt = read_receipt(python.site)
    boot = python.site / BOOT
    places = {copy_target(chainner.source)} if chainner.source else set[Path]()
    if receipt is not None and receipt.copy is not None:
        places.add(Path(receipt.copy))
    text = boot.read_text(encoding="utf-8") if boot.is_file() else None
    return State(python, receipt, text, frozenset(place for place in places if is_ours(place)))
