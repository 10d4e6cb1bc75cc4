"""Turn-taking: the order, what is counted, and which models can be compared."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from spandrel_aethernet.errors import ArgumentError
from spandrel_aethernet.evaluation.compare import check_alike
from spandrel_aethernet.evaluation.turns import take_turns
from spandrel_aethernet.inference.open import OpenModel

from ..inference.backends import Repeat


class Counted:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []
        self.done = 0

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:
        assert within is None
        self.steps.append((step, total))

    def advance(self, step: str | None = None) -> None:
        assert step is None
        self.done += 1

    def poll(self) -> None:
        pass


class Stopped(Counted):
    """A progress that ends the job after three passes."""

    def advance(self, step: str | None = None) -> None:
        super().advance(step)
        if self.done == 3:
            raise KeyboardInterrupt


def test_all_take_turns() -> None:
    calls: list[str] = []

    def run(name: str) -> str:
        calls.append(name)
        return f"{name}{len(calls)}"

    progress = Counted()
    turns = take_turns([partial(run, "a"), partial(run, "b")], repeats=2, progress=progress)
    assert "".join(calls) == "abab"
    assert progress.done == 4
    assert [[turn.result for turn in own] for own in turns] == [["a1", "a3"], ["b2", "b4"]]
    assert all(turn.seconds >= 0 for own in turns for turn in own)


def test_what_progress_raises_ends_the_turns() -> None:
    calls: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        take_turns([lambda: calls.append(1)], repeats=9, progress=Stopped())
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Repeat(scale=3), "b has scale 3 and a 2: only models of one"),
        (Repeat(channels=1), "b has channels 1 and a 3: only models of one"),
    ],
)
def test_models_of_two_kinds_are_not_compared(other: Repeat, message: str) -> None:
    models = [OpenModel(Path("a"), Repeat(), ""), OpenModel(Path("b"), other, "")]
    check_alike(models[:1])
    with pytest.raises(ArgumentError, match=message):
        check_alike(models)
