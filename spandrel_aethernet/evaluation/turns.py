"""Timing several things side by side, so that what else the machine does weighs on all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..progress import SILENT, Progress

Result = TypeVar("Result")


@dataclass(frozen=True)
class Turn(Generic[Result]):
    """What one call gave, and how many seconds it took."""

    result: Result
    seconds: float


def take_turns(
    runs: Sequence[Callable[[], Result]], *, repeats: int, progress: Progress = SILENT
) -> list[list[Turn[Result]]]:
    """Call all in turn, `repeats` times, and return a list of `repeats` turns for each of them.

    `progress` advances by one a call.
    """
    turns: list[list[Turn[Result]]] = [[] for _ in runs]
    for _ in range(repeats):
        for own, run in zip(turns, runs, strict=True):
            start = time.perf_counter()
            result = run()
            own.append(Turn(result, time.perf_counter() - start))
            progress.advance()
    return turns
