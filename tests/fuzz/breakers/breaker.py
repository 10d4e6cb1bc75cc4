"""What one file is that broke something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..files import File, Seeds

Make = Callable[[Seeds], File]


@dataclass(frozen=True)
class Breaker:
    """A file, and the outcome of each target that it must have."""

    used_to: str
    """What came of it before: it used to ..."""
    make: Make
    expected: Mapping[str, str]
    """By target: the error's class, of a command the exit code, empty where any of our own will do."""


def checkpoint(used_to: str, make: Make) -> Breaker:
    """Return a breaker that every reader of checkpoints refuses; spandrel's own may read it in its way."""
    return Breaker(used_to, make, {"info": "1", "load_model": "CheckpointError", "spandrel": ""})


def program(used_to: str, make: Make) -> Breaker:
    """Return a breaker that nothing may open, spandrel's own loader neither."""
    refused = dict.fromkeys(("load_model", "read_state_dict", "spandrel"), "CheckpointError")
    return Breaker(used_to, make, {"info": "1", "fuse": "1", **refused})


def fixed(file: File) -> Make:
    """Return what makes a file that no seed is needed for."""
    return lambda _: file


def pipe(suffix: str) -> Make:
    """Return what makes a pipe that nobody writes to."""
    return fixed(File(f"pipe{suffix}", b"", pipe=True))
