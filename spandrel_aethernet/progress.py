"""How far a long job has come, and whether it should go on."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a long job tells of itself; whatever one of these raises ends it and leaves nothing behind."""

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:
        """Begin a step of `total` parts, as a part of the step `within` or after all those before."""
        ...

    def advance(self, step: str | None = None) -> None:
        """Count a part of a step, by default of the one begun last."""
        ...

    def poll(self) -> None:
        """Do nothing, or raise: called about ten times a second while nothing else can be said."""
        ...


class Silent:
    """A `Progress` that tells nobody."""

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:
        """Do nothing."""

    def advance(self, step: str | None = None) -> None:
        """Do nothing."""

    def poll(self) -> None:
        """Do nothing."""


SILENT = Silent()
