"""Standard streams that take no more: a closed pipe, a full device."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

CLOSED_PIPE = 141
"""The exit code where nobody reads on, as a shell tells of a command that SIGPIPE ended."""
_CLOSED = (errno.EPIPE, errno.EINVAL)
"""What writing to a closed pipe fails with; the second is Windows' way."""


class StreamError(Exception):
    """A standard stream that cannot be written; no OSError, which would be taken for one of a target."""

    def __init__(self, stream: TextIO, error: OSError) -> None:
        super().__init__(str(error))
        self.stream, self.closed = stream, error.errno in _CLOSED
        self.sentence = f"{stream.name.strip('<>')} cannot be written: {error.strerror or error}"


class _Checked:
    """A standard stream, of which what it raises can be told apart."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._told():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StreamError(self._stream, error) from error


def until_written(run: Callable[[], int]) -> int:
    """Call what prints, and return its exit code when all is written.

    A pipe whose reader went away ends it without a word, with `CLOSED_PIPE`; a stream that cannot be written
    for another reason gives one sentence on stderr, and 1.
    """
    try:
        with redirect_stdout(_checked(sys.stdout)) as out, redirect_stderr(_checked(sys.stderr)):
            try:
                code = run()
            except SystemExit:  # how argparse ends
                _flush(out)
                raise
            _flush(out)
            return code
    except StreamError as error:
        _send_nowhere(error.stream)
        if error.closed:
            return CLOSED_PIPE
        _complain(error.sentence)
        return 1


def _checked(stream: TextIO | None) -> TextIO:
    return cast(TextIO, stream and _Checked(stream))  # None in a process that has none


def _flush(stream: TextIO | None) -> None:
    if stream is not None:
        stream.flush()


def _complain(sentence: str) -> None:
    try:
        print(f"aethernet: {sentence}", file=sys.stderr)  # noqa: T201
    except OSError:
        _send_nowhere(sys.stderr)


def _send_nowhere(stream: TextIO) -> None:
    """Let the interpreter, which flushes at its end, find nothing to complain of."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
