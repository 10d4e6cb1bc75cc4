"""Commands killed at random moments, and the table of what is found afterwards."""

from __future__ import annotations

import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from spandrel_aethernet.engines.sidecar import sidecar_path
from spandrel_aethernet.partials import is_partial

from .commands import Command, Files, files_of, write_old
from .server import Ended, Server

Verdict = Literal["old", "new", "torn"]

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
FAULTS = {
    "torn": "torn",
    "left": "left behind",
    "children": "children left",
    "code": "wrong exit code",
    "traceback": "traceback",
}
_FOLLOWED = 5
"""After so many SIGKILLs, whose leftovers add up, the command runs to its end once."""


@dataclass
class Row:
    """One command's and one signal's part of the table."""

    command: str
    signal: str
    kills: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    stories: list[str] = field(default_factory=list[str])
    """What went wrong, a line each."""

    @property
    def faults(self) -> int:
        """How much went wrong."""
        return sum(self.counts[name] for name in FAULTS)

    def found(self, fault: str, story: str) -> None:
        """Count what went wrong."""
        self.counts[fault] += 1
        self.stories.append(f"{self.command}, {self.signal}, kill {self.kills}: {FAULTS[fault]}: {story}")


class Range:
    """A folder in which one command is killed again and again."""

    def __init__(
        self, server: Server, command: Command, sources: Path, folder: Path, *, runs: int = 2
    ) -> None:
        """Let the command run to its end a few times, to see what it makes and how long it takes."""
        folder.mkdir()
        self._server, self._command, self._folder = server, command, folder
        self._target = folder / command.target
        self._arguments = [*command.arguments(sources, self._target), "--force"]
        server.preload(command.modules)
        self._seconds = max(self._finish().seconds for _ in range(runs))
        self._made, self._temporary = files_of(self._target), self._in_temp()

    def kill(self, sent: signal.Signals, kills: int, choose: random.Random) -> Row:
        """Kill the command at random moments, with something under its name half of the times."""
        row = Row(self._command.name, sent.name)
        for number in range(1, kills + 1):
            row.kills = number
            old = self._prepare(full=choose.random() < 0.5)
            moment = choose.uniform(0, self._seconds)
            ended = self._server.run(self._arguments, sent=sent, after=moment)
            verdict = self._judge(old)
            if ended.code == 0 and verdict == "old":
                verdict = "torn"
            self._count(row, sent, ended, verdict)
            if sent == signal.SIGKILL:
                if number % _FOLLOWED and number < kills:
                    continue
                self._finish()
            self._count_left(row)
        return row

    def _prepare(self, *, full: bool) -> Files:
        _remove(self._target)
        _remove(sidecar_path(self._target))
        return write_old(self._command, self._target, self._made) if full else {}

    def _finish(self) -> Ended:
        ended = self._server.run(self._arguments)
        if ended.code:
            raise ChildProcessError(f"{self._command.name} fails by itself: {ended.said}")
        return ended

    def _judge(self, old: Files) -> Verdict:
        """Tell what lies under the name."""
        found = files_of(self._target)
        if self._command.by_file:
            new = {name for name in {*found, *old} if name not in found or found[name] != old.get(name)}
            whole = all(self._command.whole(self._target / name) for name in new)
            return ("new" if new else "old") if whole else "torn"
        # A description goes before its engine is replaced.
        if found in (old, {self._target.name: old.get(self._target.name)}):
            return "old"
        if not found:  # a folder is without its name for a moment, and the next run gives it back
            waiting = self._folder.glob(".aether-*.old")
            return "old" if any(files_of(path) == old for path in waiting) else "torn"
        return "new" if self._command.whole(self._target) else "torn"

    def _count(self, row: Row, sent: signal.Signals, ended: Ended, verdict: Verdict) -> None:
        row.counts[verdict] += verdict != "torn"
        if verdict == "torn":
            row.found("torn", f"{sorted(files_of(self._target))} after code {ended.code}")
        if ended.orphans:
            row.counts["children"] += ended.orphans - 1
            row.found("children", f"{ended.orphans} processes")
        if ended.code not in (0, 128 + sent):
            row.found("code", f"{ended.code}: {ended.said[-300:]!r}")
        if "Traceback" in ended.said:
            row.found("traceback", ended.said[ended.said.index("Traceback") :][:1500].replace("\n", " | "))

    def _count_left(self, row: Row) -> None:
        """Count, and remove, what does not belong there."""
        left = [path for path in self._folder.rglob("*") if is_partial(path)]
        left += [path for path in self._folder.iterdir() if path not in (*left, *self._ours)]
        left += [self._server.temp / name for name in self._in_temp() - self._temporary]
        for path in left:
            row.found("left", path.name)
            _remove(path)

    @property
    def _ours(self) -> tuple[Path, Path]:
        return self._target, sidecar_path(self._target)

    def _in_temp(self) -> set[str]:
        return {path.name for path in self._server.temp.iterdir()}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def run(
    server: Server,
    commands: Sequence[Command],
    sources: Path,
    folder: Path,
    *,
    kills: int,
    seed: int,
) -> Iterator[Row]:
    """Yield a row for each command and signal. `folder` is where they write."""
    for command in commands:
        place = Range(server, command, sources, folder / command.target.partition(".")[0])
        for sent in SIGNALS:
            row = place.kill(sent, kills, random.Random(f"{seed} {command.name} {sent.name}"))  # noqa: S311
            yield row


def table(rows: Sequence[Row]) -> str:
    """Return the rows in Markdown."""
    head = ["command", "signal", "kills", "old kept", "new whole", *FAULTS.values()]
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2)]
    for row in rows:
        counts = [row.kills, *(row.counts[name] for name in ("old", "new", *FAULTS))]
        lines.append([row.command, row.signal, *map(str, counts)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
