"""The other end of `children`: one object, whose methods are called as requests come."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from queue import SimpleQueue
from traceback import format_exc
from typing import Any, NoReturn

from ..errors import AetherError


def main() -> NoReturn:
    """Make what the first line of standard input asks for, then answer; end when nothing more can come."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    target: Any = None
    failed: Exception | None = None
    make, arguments = pickle.loads(requests.get())  # noqa: S301  (our parent's)
    try:
        target = make(*arguments)
    except Exception as raised:
        failed = _told(raised)
    while True:
        method, arguments = pickle.loads(requests.get())  # noqa: S301
        result: Any = None
        error = failed
        if error is None:
            try:
                result = getattr(target, method)(*arguments)
            except Exception as raised:
                error = _told(raised)
        answers.write(pickle.dumps((result, error)).hex().encode() + b"\n")
        answers.flush()


def _told(error: Exception) -> Exception:
    """Return an error that any process can unpickle; called where it is handled."""
    return error if isinstance(error, AetherError) else RuntimeError(format_exc())


def _listen(requests: SimpleQueue[bytes]) -> None:
    """Take what comes; when the parent is gone, or wants no more, end whatever is at work."""
    for line in sys.stdin.buffer:
        requests.put(bytes.fromhex(line.decode()))
    os._exit(0)
