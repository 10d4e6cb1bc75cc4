"""Tasks dealt out to workers, whoever they are: each takes the next when it is done with one."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..errors import AetherError
from ..progress import SILENT, Progress

if TYPE_CHECKING:
    from .tasks import Task

Result = TypeVar("Result")

POLL_SECONDS = 0.1
"""How long to wait at once: Windows tells of Ctrl-C, and callers may stop, only between two waits."""


class WorkerDied(Exception):  # noqa: N818  (it is met, and only told if it goes on)
    """A worker ended before it answered; the text says how."""


class Hands(Protocol):
    """Workers from outside, by number; each is asked one thing at a time."""

    count: int
    tries: int
    """How many workers may die of one thing before it is given up."""

    def ask(self, hand: int, name: str, *arguments: object) -> None:
        """Call a method of a `Worker`; one that died is replaced first."""
        ...

    def answers(self) -> Iterator[tuple[int, Callable[[], Any]]]:
        """Wait up to `POLL_SECONDS`, and yield whose answers came and what returns them.

        That raises what the method raised, or `WorkerDied`.
        """
        ...

    def stop(self) -> None:
        """End the workers that have not answered; they are replaced when they are asked again."""
        ...

    def rest(self, hand: int) -> None:
        """Let a worker that nothing is left for give its place to others, if it holds one."""
        ...


def deal(tasks: Sequence[Task[Result]], hands: Hands, *, progress: Progress = SILENT) -> Generator[Result]:
    """Run tasks, each by the first worker that is free, and yield what became of their parts as it comes.

    If a worker dies, each part of its task is run again by itself; what `tries` workers die of has failed.
    Raises what a worker raises; however it ends, nobody works on.
    """
    try:
        yield from _dealt(tasks, hands, progress)
    finally:
        hands.stop()


def _dealt(tasks: Sequence[Task[Result]], hands: Hands, progress: Progress) -> Generator[Result]:
    queue = deque((task, 1) for task in tasks)
    idle = deque(range(hands.count))
    given: dict[int, tuple[Task[Result], int]] = {}
    while queue or given:
        while queue and idle:
            hand = idle.popleft()
            given[hand] = queue.popleft()
            hands.ask(hand, "run", given[hand][0])
        for hand in idle:
            hands.rest(hand)
        for hand, answer in hands.answers():
            task, turn = given.pop(hand)
            idle.append(hand)
            try:
                results = answer()
            except WorkerDied as died:
                parts = task.parts()
                if len(parts) > 1:
                    queue.extend((part, 1) for part in parts)
                    continue
                if turn < hands.tries:
                    queue.append((task, turn + 1))
                    continue
                results = task.failed(f"every worker that had it ended: {died}")
            yield from results
        progress.poll()


def ask_all(
    hands: Hands, name: str, *arguments: object, progress: Progress = SILENT, step: str | None = None
) -> list[Any]:
    """Call a method of all workers and return what each returns; a `step` is advanced once a worker.

    Raises what a worker raises, and `AetherError` if one dies again and again.
    """
    try:
        return _all_answers(hands, name, arguments, progress, step)
    finally:
        hands.stop()


def _all_answers(
    hands: Hands, name: str, arguments: Sequence[object], progress: Progress, step: str | None
) -> list[Any]:
    answered, tries = dict[int, Any](), Counter[int]()
    for hand in range(hands.count):
        hands.ask(hand, name, *arguments)
    while len(answered) < hands.count:
        for hand, answer in hands.answers():
            try:
                answered[hand] = answer()
                if step is not None:
                    progress.advance(step)
            except WorkerDied as died:
                tries[hand] += 1
                if tries[hand] >= hands.tries:
                    raise AetherError(f"a worker ends before it has loaded the model: {died}") from died
                hands.ask(hand, name, *arguments)
        progress.poll()
    return [answered[hand] for hand in range(hands.count)]
