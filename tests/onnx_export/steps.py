"""A `Progress` that keeps what it is told."""

from __future__ import annotations


class Recorder:
    """Steps by name and total, and how often each of the three was called."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.advanced = 0
        self.polled = 0

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:
        del within
        self.begun.append((step, total))

    def advance(self, step: str | None = None) -> None:
        del step
        self.advanced += 1

    def poll(self) -> None:
        self.polled += 1


class StoppedError(Exception):
    """What `Stopping` raises."""


class Stopping(Recorder):
    """Raises at the nth poll, as a caller does who wants no more of it."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def poll(self) -> None:
        super().poll()
        if self.polled == self._at:
            raise StoppedError
