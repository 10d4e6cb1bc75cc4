"""A process that has loaded what files need and forks children that try them, with limits (Linux).

It answers each line of JSON, a list of items, with a line for each item. A child tries many items; one that
crashes, hangs or breaks a rule is tried again alone before that counts.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .seeds import read_seeds
from .targets import NEEDED, Outcome
from .trial import Item, Trial, made

SECONDS = 10.0
"""How long a file may take."""
_BUSY = 6
"""How many times longer it may take where it computes, and the machine is busy with other things too."""
BYTES = 10**9
"""How much memory it may take."""
_ADDRESSES = 4 * 10**9
"""How far a child's address space may grow: more than is allowed, so that it is seen, less than does harm."""
_MAKING_SECONDS = 120.0
"""How long making a file may take, which no target answers for."""
Answer = dict[str, Any]


def _serve(seeds_folder: Path, work: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for who started this
    for name in NEEDED:
        with suppress(Exception):
            importlib.import_module(name)
    seeds = read_seeds(seeds_folder)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        items: list[Item] = json.loads(line)
        while items:
            for place, answer in enumerate(_try_all(items, seeds, work)):
                items = items[1:]
                doubted = place > 0 and any(outcome["faults"] for outcome in answer["outcomes"])
                told = next(_try_all([answer["item"]], seeds, work)) if doubted else answer
                print(json.dumps(told), file=answers, flush=True)


def _try_all(items: Sequence[Item], seeds: Any, work: Path) -> Iterator[Answer]:
    """Yield an answer for each item, up to the first that its child did not outlive."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            _try_here(items, seeds, work / str(os.getpid()), writing)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb", buffering=0) as lines:
            yield from _followed(child, lines.fileno(), items)
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        shutil.rmtree(work / str(child), ignore_errors=True)


def _followed(child: int, lines: int, items: Sequence[Item]) -> Iterator[Answer]:
    """Yield what a child tells; kill one that tells nothing for too long."""
    done, begun, kept = 0, None, b""
    since, computed = time.monotonic(), 0.0
    while done < len(items):
        while not select.select([lines], [], [], 0.5)[0]:
            seconds = time.monotonic() - since
            if begun and _hangs(seconds, _computed(child) - computed):
                os.kill(child, signal.SIGKILL)
                yield _ended(begun, "hang", f"runs on after {seconds:.0f} s")
                return
            if seconds > _MAKING_SECONDS:
                raise TimeoutError(f"{items[done]} cannot be made")
        read = os.read(lines, 1 << 16)
        if not read:
            if not begun:
                raise ChildProcessError(f"{items[done]} cannot be made")
            ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
            yield _ended(begun, "unnamed", f"the process ended with {ended and ended.si_status}")
            return
        *whole, kept = (kept + read).split(b"\n")
        for line in whole:
            told: Answer = json.loads(line)
            since, computed = time.monotonic(), _computed(child)
            if "begun" in told:
                begun = told
            else:
                begun = None
                done += 1
                yield told


def _hangs(seconds: float, computed: float) -> bool:
    """Tell whether one takes too long that has computed for a part of the time."""
    waits, busy = computed < seconds / 10, computed < SECONDS and seconds < _BUSY * SECONDS
    return seconds > SECONDS and (waits or not busy)


def _computed(child: int) -> float:
    """Return the seconds that a process has computed."""
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ended(begun: Answer, fault: str, said: str) -> Answer:
    outcome = Outcome(begun["begun"], "ended", [fault], "", said)
    return {"item": begun["item"], "story": begun["story"], "outcomes": [asdict(outcome)], "seconds": SECONDS}


def _try_here(items: Sequence[Item], seeds: Any, folder: Path, told: int) -> None:
    addresses = _status("VmSize") + _ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (10**9, 10**9))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    folder.mkdir(parents=True)
    for item in items:
        file, story, targets = made(item, seeds)
        outcomes: list[Any] = []
        seconds = 0.0
        for target in targets:
            trial = Trial(file, target, folder / "trial")
            _tell(told, {"begun": target, "item": item, "story": story})
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak
            before, since = _status("VmRSS"), time.monotonic()
            outcome = trial.run(seeds.folder)
            seconds = max(seconds, time.monotonic() - since)
            grown = _status("VmHWM") - before
            if grown > BYTES and outcome.result != "foreign" and "memory" not in outcome.faults:
                outcome.faults.append("memory")
                outcome.said = f"{grown / 1e9:.1f} GB: {outcome.said}"
            outcomes.append(asdict(outcome))
        _tell(told, {"item": item, "story": story, "outcomes": outcomes, "seconds": seconds})


def _tell(told: int, message: Answer) -> None:
    line = json.dumps(message).encode() + b"\n"
    while line:
        line = line[os.write(told, line) :]


def _status(field: str) -> int:
    """Return a size of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), Path(sys.argv[2]))
