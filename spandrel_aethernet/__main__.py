"""The `aethernet` command, also as `python -m spandrel_aethernet`."""

from __future__ import annotations

import signal
import sys
from _thread import get_ident
from types import FrameType


class _NoMoreImports:
    """Ends the next import: PyTorch swallows what ends its import of NumPy, KeyboardInterrupt included."""

    def __init__(self) -> None:
        self._thread = get_ident()

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        if get_ident() == self._thread:
            sys.meta_path.remove(self)
            raise KeyboardInterrupt


def main() -> int:
    """Run the command line and return its exit code; Ctrl-C at any time, imports included, gives 130."""
    pressed = False

    def cancel(_signal: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        sys.meta_path.insert(0, _NoMoreImports())
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored
        signal.signal(signal.SIGINT, cancel)
    code = 1
    try:
        from .cli import main as run

        code = run()
    except BaseException:  # what is being imported may turn KeyboardInterrupt into an error of its own
        if not pressed:
            raise
    finally:
        # What the interpreter still does at its end can be cut short without a word.
        if signal.getsignal(signal.SIGINT) is cancel:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    if pressed and code:
        print("aethernet: cancelled", file=sys.stderr)  # noqa: T201
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
