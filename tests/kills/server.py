"""Commands in forked processes that have PyTorch loaded already, and are killed at a given moment (Linux).

`Server` starts this module as a process of its own, which loads what commands import and runs none of it: a
process whose threads have computed cannot fork one that computes. It answers a line of JSON with another.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CLOSED_PIPE = "closed pipe"
_BECOMES_PARENT = 36
"""prctl's PR_SET_CHILD_SUBREAPER: children of a killed process become this one's."""
_ORPHAN_SECONDS = 5.0
"""How long a worker may outlive a killed command; no measure of speed."""
_HANG_SECONDS = 300.0


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    """As a shell tells: 128 and the signal's number for what a signal ended."""
    seconds: float
    said: str
    """On stderr, and on stdout unless that was given."""
    orphans: int
    """Processes that it had started and that ran on."""


class Server:
    """A process that forks commands."""

    def __init__(self, folder: Path) -> None:
        """Start it; `folder`, which must be there, gets the temporary files of all commands in `temp`."""
        self.temp = folder / "temp"
        self.temp.mkdir()
        self._said = folder / "said"
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VIPS_CONCURRENCY"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **threads, "TMPDIR": str(self.temp)},
        )

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def preload(self, modules: Sequence[str]) -> None:
        """Import what commands will; none that starts a thread, which a forked process would not have."""
        self._ask({"preload": [*modules]})

    def run(
        self,
        arguments: Sequence[object],
        *,
        sent: signal.Signals | None = None,
        after: float = 0,
        file_size: int | None = None,
        stdout: str | None = None,
    ) -> Ended:
        """Run a command to its end, or to the signal `sent` so many seconds after it began.

        No file that it writes can be longer than `file_size` bytes. `stdout` is a path, or `CLOSED_PIPE`.
        """
        request = {"signal": sent, "after": after, "file_size": file_size, "stdout": stdout}
        return self._run([arguments], request)[0]

    def run_together(self, *commands: Sequence[object]) -> list[Ended]:
        """Run commands side by side to their ends."""
        return self._run(commands, {"signal": None, "after": 0, "file_size": None, "stdout": None})

    def _run(self, commands: Sequence[Sequence[object]], request: dict[str, Any]) -> list[Ended]:
        said = [self._said.with_suffix(f".{number}") for number in range(len(commands))]
        runs = [[str(path), *map(str, command)] for path, command in zip(said, commands, strict=True)]
        answer = self._ask({**request, "runs": runs})
        return [
            Ended(code, answer["seconds"], _said(path), answer["orphans"])
            for code, path in zip(answer["codes"], said, strict=True)
        ]

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def _said(path: Path) -> str:
    """Return what a command said; at its end, a library that was loaded before it complains of the fork."""
    return path.read_text("utf-8", errors="replace").partition("nanobind: ")[0]


def _serve() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for who started this
    ctypes.CDLL(None).prctl(_BECOMES_PARENT, 1, 0, 0, 0)
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any] = {}
        if "preload" in request:
            for name in request["preload"]:
                importlib.import_module(name)
            gc.collect()
            gc.freeze()  # else the first collection of every child copies all that is loaded
        else:
            begun = time.perf_counter()
            children = [_fork(run, request) for run in request["runs"]]
            codes = [_end(child, request) for child in children]
            answer = {"codes": codes, "seconds": time.perf_counter() - begun, "orphans": _end_orphans()}
        print(json.dumps(answer), flush=True)  # noqa: T201


def _fork(run: Sequence[str], request: dict[str, Any]) -> int:
    """Return the process of a command that has begun."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(run, request, writing)  # ends with SystemExit, as the command does
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    return child


def _run(run: Sequence[str], request: dict[str, Any], ready: int) -> None:
    said, *arguments = run
    errors = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    for stream, target in ((0, os.open(os.devnull, os.O_RDONLY)), (1, _stdout(request, errors)), (2, errors)):
        os.dup2(target, stream)
    for name, handler in (("INT", signal.default_int_handler), ("TERM", signal.SIG_DFL)):
        signal.signal(getattr(signal, f"SIG{name}"), handler)
    if request["file_size"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_size"],) * 2)
    sys.argv = ["aethernet", *arguments]
    from spandrel_aethernet.__main__ import main

    os.write(ready, b".")
    os.close(ready)
    sys.exit(main())


def _stdout(request: dict[str, Any], errors: int) -> int:
    if request["stdout"] is None:
        return errors
    if request["stdout"] != CLOSED_PIPE:
        return os.open(request["stdout"], os.O_WRONLY)
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def _end(child: int, request: dict[str, Any]) -> int:
    """Wait for a process, or send its signal first; return its exit code."""
    if request["signal"] is not None:
        time.sleep(request["after"])
        os.kill(child, request["signal"])  # it may have ended, but is not gone before it is waited for
    ends = time.monotonic() + _HANG_SECONDS
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code
        if time.monotonic() > ends:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)


def _end_orphans() -> int:
    """Wait for what the process had started; kill and count what does not end."""
    ends = time.monotonic() + _ORPHAN_SECONDS
    with suppress(ChildProcessError):
        while time.monotonic() < ends:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.005)
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    for orphan in children:
        os.kill(int(orphan), signal.SIGKILL)
        os.waitpid(int(orphan), 0)
    return len(children)


if __name__ == "__main__":
    _serve()
    os._exit(0)  # what it only imported may complain of its own end
