# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a long job as chaiNNer's progress bar, and its Stop and Pause buttons."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

from api import Aborted, Progress

from spandrel_aethernet import AetherError

from ._labels import in_node_words


class Steps:
    """Counts the steps of a job, each a part of the same length."""

    def __init__(self, progress: Progress, count: int) -> None:
        """Expect `count` steps; if more come, the bar waits at its end."""
        self._progress = progress
        self._count = count
        self._begun = 0
        self._parts = self._done = 0

    def begin(self, _name: str, parts: int) -> None:
        """Begin the next step, of so many parts. Raises chaiNNer's `Aborted` if the job was stopped."""
        self._begun += 1
        self._parts, self._done = max(parts, 1), 0
        self._tell()

    def advance(self) -> None:
        """Count one part of this step. Raises chaiNNer's `Aborted` if the job was stopped."""
        self._done = min(self._done + 1, self._parts)
        self._tell()

    def finish(self) -> None:
        """Count all steps. Raises chaiNNer's `Aborted` if the job was stopped."""
        self._begun, self._parts, self._done = self._count, 1, 1
        self._tell()

    def _tell(self) -> None:
        self._progress.suspend()
        self._progress.set_progress(min((self._begun - 1 + self._done / self._parts) / self._count, 1.0))


@contextmanager
def plain_errors() -> Generator[None]:
    """Let what is raised here speak of a node's inputs instead of the command line's options.

    Stop raises the `Aborted` of chaiNNer's API, which its executor takes for an error without words: it knows
    the one of its own module only.
    """
    try:
        yield
    except Aborted as stopped:
        executor = sys.modules.get("progress_controller")
        raise getattr(executor, "Aborted", type(stopped))() from stopped
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is missing: install it in chaiNNer's dependency manager") from error
    except AetherError as error:
        raise ValueError(in_node_words(str(error))) from error
