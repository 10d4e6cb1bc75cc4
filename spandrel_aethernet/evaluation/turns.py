"""Timing several things side by side, so that what else the machine does weighs on all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from ..progress import SILENT, Progress

Result = TypeVar("Result")


class Turn(NamedTuple, Generic[Result]):
    """What one call gave, and how many seconds it took."""

    result: Result
    seconds: float


def take_turns(
    runs: Sequence[Callable[[], Result]], *, repeats: int, warm_up: bool, progress: Progress = SILENT
) -> list[list[Turn[Result]]]:
    """Call all in turn, `repeats` times, and return a list of `repeats` turns for each of them.

    With `warm_up` each is called once before, which is not counted. `progress` advances by one a call.
    """
    turns: list[list[Turn[Result]]] = [[] for _ in runs]
    for round_number in range(-1 if warm_up else 0, repeats):
        for own, run in zip(turns, runs, strict=True):
            start = time.perf_counter()
            result = run()
            seconds = time.perf_counter() - start
            if round_number >= 0:
                own.append(Turn(result, seconds))
            progress.advance()
    return turns
