# SPDX-License-Identifier: GPL-3.0-or-later
"""A long job as chaiNNer's progress bar and its Stop and Pause buttons; errors in a node's words."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from api import Aborted, NodeContext

from spandrel_aethernet import AetherError, MissingPackageError

from ._labels import node_words


@dataclass
class _Step:
    name: str
    total: int
    done: int = 0


class NodeProgress:
    """A `spandrel_aethernet.progress.Progress` of `count` steps of the same length; further ones add nothing.

    Each method raises chaiNNer's `Aborted` once the job was stopped.
    """

    def __init__(self, context: NodeContext, count: int) -> None:
        self._context, self._count = context, count
        self._begun = 0
        self._open: list[_Step] = []  # each within the one before it
        self._shown = 0.0

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:
        """Begin a step of `total` parts, as a part of the step `within` or after all those before."""
        depth = self._depth(within)
        self._begun += depth == 0
        self._open[depth:] = [_Step(step, max(total, 1))]
        self._tell()

    def advance(self, step: str | None = None) -> None:
        """Count a part of a step, by default of the one begun last."""
        depth = len(self._open) if step is None else self._depth(step)
        if depth:
            counted = self._open[depth - 1]
            counted.done = min(counted.done + 1, counted.total)
            del self._open[depth:]
        self._tell()

    def poll(self) -> None:
        """Do nothing more than to find out whether the job was stopped."""
        self._context.check_aborted()

    def finish(self) -> None:
        """Count all steps."""
        self._begun, self._open = self._count + 1, []
        self._tell()

    def _depth(self, name: str | None) -> int:
        """Return how deep within other steps an open step lies, 1 if in none; 0 for one that is not open."""
        depths = {step.name: depth for depth, step in enumerate(self._open, start=1)}
        return depths.get(name, 0) if name is not None else 0

    def _tell(self) -> None:
        self._context.suspend()
        part = 0.0
        for step in reversed(self._open):
            part = min((step.done + part) / step.total, 1.0)
        share = (max(self._begun - 1, 0) + part) / self._count
        self._shown = max(self._shown, min(share, 1.0))  # a step within another may begin again
        self._context.set_progress(self._shown)


@contextmanager
def plain_errors() -> Generator[None]:
    """Let what is raised here speak of a node's inputs instead of a function's arguments.

    Stop raises the `Aborted` of chaiNNer's API, which its executor takes for an error without words: it knows
    the one of its own module only.
    """
    try:
        yield
    except Aborted as stopped:
        executor = sys.modules.get("progress_controller")
        raise getattr(executor, "Aborted", type(stopped))() from stopped
    except (ModuleNotFoundError, MissingPackageError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, ModuleNotFoundError) else error
        raise ValueError(f"{cause.name} is missing: install it in chaiNNer's dependency manager") from error
    except AetherError as error:
        raise ValueError(error.message.text(node_words)) from error
