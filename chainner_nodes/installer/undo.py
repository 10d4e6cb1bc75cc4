# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts back what an installation that failed or was cancelled had changed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from .python import InstallError, ask
from .receipt import BOOT, RECEIPT, read_receipt, write_whole
from .removing import remove
from .state import State


@contextmanager
def undone_on_failure(before: State) -> Generator[None]:
    """Undo what the block has added, whatever ends it early.

    Raises InstallError if that fails too; the receipt then stays, from which `uninstall` can do it.
    """
    try:
        yield
    except BaseException as error:
        try:
            _undo(before)
        except (InstallError, OSError) as failure:
            raise InstallError(
                f"{error or 'cancelled'}\nwhat had been done could not be undone: {failure}\n"
                f"run uninstall to clean up"
            ) from error
        raise


def _undo(before: State) -> None:
    site = before.python.site
    added = read_receipt(site)
    if added is not None and added != before.receipt:
        new = {name: files for name, files in added.distributions.items() if name not in before.python.own}
        remove(ask(before.python.executable), new)
    if before.boot is None:
        (site / BOOT).unlink(missing_ok=True)
    else:
        write_whole(site / BOOT, before.boot)
    if before.receipt is None:
        (site / RECEIPT).unlink(missing_ok=True)
    else:
        before.receipt.write(site)
