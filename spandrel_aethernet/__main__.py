"""The `aethernet` command, also as `python -m spandrel_aethernet`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from _thread import get_ident
from contextlib import suppress
from types import FrameType

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that ask a command to end; no system has all of them."""
_ONE_REQUEST = 1.0
"""Seconds in which more signals say the same, and let it clean up: a terminal that closes sends two."""


class _NoMoreImports:
    """Ends the next import: PyTorch swallows what ends its import of NumPy, KeyboardInterrupt included."""

    def __init__(self) -> None:
        self._thread = get_ident()

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        if get_ident() == self._thread:
            sys.meta_path.remove(self)
            raise KeyboardInterrupt

    @classmethod
    def lift(cls) -> None:
        """Let imports be again, where none came: the interpreter's end may need some."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, cls)]


def main() -> int:
    """Run the command line and return its exit code.

    A signal that asks it to end, at any time, imports included, gives 128 and its number: 130 for Ctrl-C,
    143 for SIGTERM. One that the parent has ignored stays ignored.
    """
    received: signal.Signals | None = None
    running, last = True, float("-inf")

    def cancel(number: int, _frame: FrameType | None) -> None:
        nonlocal received, last
        received = received or signal.Signals(number)
        if not running or time.monotonic() - last < _ONE_REQUEST:
            return
        last = time.monotonic()
        sys.meta_path.insert(0, _NoMoreImports())
        raise KeyboardInterrupt

    known = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    ours = [one for one in known if signal.getsignal(one) in (signal.SIG_DFL, signal.default_int_handler)]
    for one in ours:
        signal.signal(one, cancel)
    code = 1
    try:
        from .cli import main as run

        code = run()
    except BaseException:  # what is being imported may turn KeyboardInterrupt into an error of its own
        if not received:
            raise
    finally:
        running = False
        _NoMoreImports.lift()
        # What the interpreter still does at its end can be cut short without a word.
        for one in ours:
            signal.signal(one, signal.SIG_DFL)
    if received and not code:  # the command ends so by itself
        _leave_if_busy(code)
    elif received:
        # A KeyboardInterrupt that came in `exec` of a text, as dataclasses do, sets a flag of the interpreter
        # that makes its exit code 130; the next `exec` of a text clears it.
        exec("")  # noqa: S102
        how = "cancelled" if received == signal.SIGINT else f"ended by {received.name}"
        with suppress(OSError):  # a terminal that hung up takes no more
            print(f"aethernet: {how}", file=sys.stderr)  # noqa: T201
        _leave_if_busy(128 + received)
        return 128 + received
    return code


def _leave_if_busy(code: int) -> None:
    """End the process here if a thread is still at work that nobody waits for.

    Python would go on to end, and a thread that comes out of C++ meanwhile ends the process with an abort
    (before Python 3.14: docs.python.org/3/c-api/init.html, PyEval_RestoreThread).
    """
    if any(thread.daemon for thread in threading.enumerate()):
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
