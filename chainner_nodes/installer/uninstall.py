# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes everything of ours away again."""

from __future__ import annotations

import shutil

from .install import check_writable
from .packages import NODES
from .receipt import BOOT, RECEIPT
from .removing import remove, still_needed
from .state import State
from .steps import Say, Step, take, tell


def uninstall(state: State, say: Say, *, dry_run: bool) -> None:
    """Remove what the receipt lists, but what others have come to need. Raises InstallError."""
    python = state.python
    if state.is_empty:
        say(f"nothing of ours is installed in {python.site}")
        return
    check_writable(python)
    going = dict(state.receipt.distributions) if state.receipt else {}
    if NODES in python.own:
        going.setdefault(NODES, [])
    for name, user in sorted(still_needed(python, going).items()):
        say(f"keep {name}, as {user} needs it")
        del going[name]
    steps: list[Step] = []
    if state.boot is not None:
        steps.append(Step(f"remove {python.site / BOOT}", (python.site / BOOT).unlink))
    if (copy := state.copy) is not None:
        steps.append(Step(f"remove {copy}", lambda: shutil.rmtree(copy)))
    if going:
        steps.append(Step(f"uninstall {', '.join(sorted(going))}", lambda: remove(python, going)))
    if state.receipt is not None:  # the last, as all the rest can be found again from it
        steps.append(Step(f"remove {python.site / RECEIPT}", (python.site / RECEIPT).unlink))
    if dry_run:
        tell(steps, say)
        return
    take(steps, say)
    say("done. Restart chaiNNer")
