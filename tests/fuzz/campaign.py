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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .formats import FORMATS
from .trial import Item

ROOT = Path(__file__).parents[2]
BATCH = 50
"""Items that one child tries, one after the other."""
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

    def lines(self) -> Iterator[str]:
        """Yield what went wrong: format, seed, number, target, first line and place."""
        where = " ".join(map(str, self.item))
        for outcome in self.outcomes:
            if outcome["faults"]:
                faults = ", ".join(outcome["faults"])
                first = ascii(outcome["said"].strip().partition("\n")[0][:300])[1:-1]
                yield f"{where} ({self.story}) {outcome['target']}: {faults}: {outcome['error']} {first} [{outcome['place']}]"  # noqa: E501


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


def run(
    servers: Sequence[Server], items: Sequence[Item], told: Callable[[Answer], None] = lambda _: None
) -> dict[str, Row]:
    """Try items by all servers side by side, and return the rows by format."""
    rows = {str(item[0]): Row() for item in items}
    pending: queue.SimpleQueue[Sequence[Item]] = queue.SimpleQueue()
    for start in range(0, len(items), BATCH):
        pending.put(items[start : start + BATCH])
    lock, errors = threading.Lock(), list[BaseException]()

    def work(server: Server) -> None:
        try:
            while not errors:
                for answer in server.try_all(pending.get_nowait()):
                    with lock:
                        rows[str(answer.item[0])].add(answer)
                        told(answer)
        except queue.Empty:
            pass
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    for row in rows.values():
        row.failures.sort(key=lambda answer: [str(part).zfill(9) for part in answer.item])
    return rows


def table(rows: dict[str, Row]) -> str:
    """Return the rows in Markdown."""
    head = ["target", "mutations", *COLUMNS.values()]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for name, row in rows.items():
        title = FORMATS[name].title if name in FORMATS else name
        lines.append([title, f"{row.tried:,}", *(str(row.counts[column]) for column in COLUMNS)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
