"""Long jobs as bars on stderr."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from .clean import clean
from .console import ERR


class Bars:
    """A `Progress` of one bar a step; a step within another is indented, and gone when it is done."""

    def __init__(self, display: Progress) -> None:
        self._display = display
        self._tasks: dict[str, TaskID] = {}
        self._open: list[str] = []
        """Steps that lie in each other, the outermost first."""

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:
        """Begin a step of `total` parts, inside the step `within` if that is still shown."""
        depth = self._open.index(within) + 1 if within in self._open else 0
        for ended in self._open[max(depth, 1) :]:
            self._display.remove_task(self._tasks.pop(ended))
        self._open = [*self._open[:depth], step]
        self._tasks[step] = self._display.add_task("  " * depth + clean(step), total=total)

    def advance(self, step: str | None = None) -> None:
        """Count a part of a step, by default of the one begun last; of one that is not shown, nothing."""
        named = step or next(reversed(self._open), None)
        if named in self._tasks:
            self._display.advance(self._tasks[named])

    def poll(self) -> None:
        """Do nothing: Ctrl-C raises by itself."""

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._display.console.print(text)

    def inside(self, step: str) -> Inside:
        """Return a `Progress` whose steps are all within this one."""
        return Inside(self, step)


class Inside:
    """Steps within a step, for those who do not know it."""

    def __init__(self, bars: Bars, step: str) -> None:
        self._bars, self._step = bars, step

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:
        """Begin a step within another of these, or directly within the outer one."""
        self._bars.begin(step, total, within=within or self._step)

    def advance(self, step: str | None = None) -> None:
        """Count a part of a step, by default of the one begun last."""
        self._bars.advance(step)

    def poll(self) -> None:
        """Do nothing: Ctrl-C raises by itself."""


class _Speed(ProgressColumn):
    """How many parts a second, where that is told."""

    def render(self, task: Task) -> Text:
        """Return it for one bar."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


@contextmanager
def bars() -> Generator[Bars]:
    """Yield bars that are gone when the block ends, and absent where stderr is no terminal."""
    display = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=ERR,
        transient=True,
        disable=not ERR.is_terminal,
    )
    with display:
        yield Bars(display)
