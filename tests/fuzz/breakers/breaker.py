"""What one file is that broke something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..files import File, Seeds


@dataclass(frozen=True)
class Breaker:
    """A file, and the outcome of each target that it must have."""

    make: Callable[[Seeds], File]
    expected: Mapping[str, str]
    """By target: the error's class, of a command the exit code, empty where either will do."""


def checkpoint(make: Callable[[Seeds], File]) -> Breaker:
    """Return a breaker that every reader of checkpoints refuses; spandrel's own may read it in its way."""
    return Breaker(make, {"info": "1", "load_model": "CheckpointError", "spandrel": ""})


def fixed(file: File) -> Callable[[Seeds], File]:
    """Return what makes a file that no seed is needed for."""
    return lambda _: file
