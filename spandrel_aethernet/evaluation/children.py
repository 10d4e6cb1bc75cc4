"""Objects that live in processes of their own, from outside: made, asked, ended.

Each library then has its threads, its allocator and its peak of memory to itself.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, Any

from ..errors import AetherError
from ..interpreter import import_paths, start_python

_POLL_SECONDS = 0.1
"""How long to wait at once: callers may stop, and Windows tells of Ctrl-C, only between two waits."""
_START = """
import json, sys
sys.path[:] = json.loads(sys.stdin.buffer.readline())
from spandrel_aethernet.evaluation.child import main
main()
"""


class Child:
    """An object in another process."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes], name: str) -> None:
        """Take a process that was started, where its stderr goes, and what it is called in errors."""
        self._process, self._said, self._name = process, said, name
        self._answers: SimpleQueue[bytes] = SimpleQueue()
        Thread(target=self._listen, daemon=True).start()

    def send(self, message: object) -> None:
        """Send what can be pickled."""
        assert self._process.stdin is not None
        with suppress(OSError):  # it ended, and is found to have
            self._process.stdin.write(pickle.dumps(message).hex().encode() + b"\n")
            self._process.stdin.flush()

    def ask(self, method: str, *arguments: object, poll: Callable[[], object] = lambda: None) -> Any:
        """Call a method of the object and return what it returns; `poll` is called while it runs.

        Raises the `AetherError` that it raises, another for its death, and RuntimeError with the traceback of
        what else it raises.
        """
        self.send((method, arguments))
        while True:
            try:
                line = self._answers.get(timeout=_POLL_SECONDS)
                break
            except Empty:
                poll()
        if not line.endswith(b"\n"):  # the end, or an answer cut short by it
            raise AetherError(f"{self._name}: its process ended with {self._end()}")
        result, error = pickle.loads(bytes.fromhex(line.decode()))  # noqa: S301  (our own child's)
        if error is not None:
            raise error
        return result

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with suppress(ValueError, OSError):  # closed, because the child was ended
            for line in self._process.stdout:
                self._answers.put(line)
        self._answers.put(b"")

    def _end(self) -> str:
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip().splitlines()
        return ": ".join([how, *said[-1:]])


@contextmanager
def started(make: Callable[..., object], *arguments: object, name: str) -> Generator[Child]:
    """Start a process that makes an object, and end it with the block, whatever it is at.

    It ends by itself when this process is gone. `make` and its arguments can be pickled; what `make` raises
    comes with the first answer.
    """
    with TemporaryFile() as said, start_python(_START, said) as process:
        try:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.write(json.dumps(import_paths()).encode() + b"\n")
            child = Child(process, said, name)
            child.send((make, arguments))
            yield child
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started: what is compiled may have compilers at work."""
    if sys.platform != "win32":
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
