"""Servers that try files side by side, and the table of what came of them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .formats import FORMATS
from .trial import Item

ROOT = Path(__file__).parents[2]
BATCH = 50
"""Items that one child tries, one after the other."""
COUNT = 20_000
"""Files of all formats together that are tried by default."""
_SHARES = {"checkpoints": 0.45, "onnx": 0.3, "engines": 0.1, "images": 0.15}
COLUMNS = {
    "unnamed": "outcomes that no docstring names",
    "hang": "hangs over 10 s",
    "memory": "memory over 1 GB",
    "left": "left behind",
    "codes": "terminal codes",
}


@dataclass(frozen=True)
class Answer:
    """What came of one item."""

    item: Item
    story: str
    outcomes: Sequence[dict[str, Any]]
    """`targets.Outcome`, one for each target."""
    seconds: float

    @property
    def faults(self) -> set[str]:
        """The columns that count it."""
        return {fault for outcome in self.outcomes for fault in outcome["faults"]}

    @property
    def command(self) -> str:
        """What tries it again."""
        name, seed, number = self.item
        if name == "breaker":
            return f"pytest tests/fuzz/test_breakers.py -k '{seed}: {number}'"
        return f"python -m {__package__} --format {name} --seed {seed} --only {number}"

    def lines(self) -> Iterator[str]:
        """Yield what went wrong: the command that tries it again, the target, what it said, and where."""
        for outcome in self.outcomes:
            if outcome["faults"]:
                faults = ", ".join(outcome["faults"])
                first = ascii(outcome["said"].strip().partition("\n")[0][:300])[1:-1]
                what = f"{outcome['target']}: {faults}: {outcome['error']} {first} [{outcome['place']}]"
                yield f"{self.command} ({self.story}) {what}"


class Server:
    """A process that forks children."""

    def __init__(self, seeds: Path, work: Path) -> None:
        """Start it; both folders must be there."""
        work.mkdir(exist_ok=True)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "VIPS_CONCURRENCY"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.server", str(seeds), str(work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **threads},
        )

    def try_all(self, items: Sequence[Item]) -> Iterator[Answer]:
        """Yield an answer for each item."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([list(item) for item in items]), file=self._process.stdin, flush=True)
        for _ in items:
            line = self._process.stdout.readline()
            if not line:
                raise ChildProcessError("the server of files to be tried has ended")
            yield Answer(**json.loads(line))

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@dataclass
class Row:
    """One format's part of the table."""

    tried: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    results: Counter[str] = field(default_factory=Counter[str])
    failures: list[Answer] = field(default_factory=list[Answer])

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        self.tried += 1
        self.counts.update(answer.faults)
        self.results.update(outcome["result"] for outcome in answer.outcomes)
        if answer.faults:
            self.failures.append(answer)


def items(count: int, seed: int) -> list[Item]:
    """Return so many items of all formats, each format's share of them."""
    return [item for name, share in _SHARES.items() for item in items_of(name, round(count * share), seed)]


def items_of(format_name: str, count: int, seed: int) -> list[Item]:
    """Return the first items of one format."""
    return [[format_name, seed, number] for number in range(count)]


def run_all(
    servers: Sequence[Server], items: Sequence[Item], told: Callable[[Answer], None] = lambda _: None
) -> list[Answer]:
    """Try items by all servers side by side, and return the answers in no order."""
    answers: list[Answer] = []
    pending: queue.SimpleQueue[Sequence[Item]] = queue.SimpleQueue()
    for start in range(0, len(items), BATCH):
        pending.put(items[start : start + BATCH])
    lock = threading.Lock()

    def work(server: Server) -> None:
        with suppress(queue.Empty):
            while True:
                for answer in server.try_all(pending.get_nowait()):
                    with lock:
                        answers.append(answer)
                        told(answer)

    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(work, servers))
    return answers


def run(
    servers: Sequence[Server], items: Sequence[Item], told: Callable[[Answer], None] = lambda _: None
) -> dict[str, Row]:
    """Try items as `run_all` does, and return the rows by format."""
    rows = {str(item[0]): Row() for item in items}
    for answer in sorted(run_all(servers, items, told), key=lambda answer: [*answer.item]):
        rows[str(answer.item[0])].add(answer)
    return rows


def table(rows: dict[str, Row]) -> str:
    """Return the rows in Markdown."""
    head = ["target", "mutations", *COLUMNS.values()]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for name, row in rows.items():
        lines.append(
            [FORMATS[name].title, f"{row.tried:,}", *(str(row.counts[column]) for column in COLUMNS)]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
