"""Image files for workers, and tasks that show what becomes of those that die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spandrel_aethernet.errors import AetherError, Hint
from spandrel_aethernet.images.files import Picture, write_picture
from spandrel_aethernet.inference.backend import Backend
from spandrel_aethernet.inference.jobs import Job

from ..images.pictures import photograph


def some(folder: Path, count: int, *, height: int = 20) -> list[Job]:
    """Write small images of different sizes, the fifth of them broken, and return what they are to become."""
    folder.mkdir()
    for index in range(count):
        write_picture(Picture(photograph(height + index, 27)), folder / f"{index:03}.png")
    if count > 4:
        (folder / "004.png").write_bytes(b"no image")
    return to(folder, folder / "out")


def to(folder: Path, out: Path) -> list[Job]:
    """Return what the images in a folder are to become in another."""
    return [Job(path, out / path.name) for path in sorted(folder.glob("*.png"))]


def contents(jobs: Sequence[Job]) -> list[bytes | None]:
    """Return the bytes of all targets, None for those that are not there."""
    return [job.target.read_bytes() if job.target.exists() else None for job in jobs]


def hidden(folder: Path) -> list[Path]:
    """Return the partial files in a folder."""
    return [path for path in folder.iterdir() if path.name.startswith(".aether-")]


@dataclass(frozen=True)
class Steps:
    """Numbers, of which some end whoever meets them."""

    numbers: tuple[int, ...]
    deadly: int = -1
    seconds: float = 0
    raising: str = ""

    def run(self, backend: Backend) -> list[str]:
        del backend
        time.sleep(self.seconds)
        if self.raising == "aether":
            raise AetherError("it cannot be", Hint("give {force}", force=True))
        if self.raising:
            raise ValueError(self.raising)
        if self.deadly in self.numbers:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return [f"{number} by {os.getpid()}" for number in self.numbers]

    def parts(self) -> list[Steps]:
        return [Steps((number,), self.deadly, self.seconds, self.raising) for number in self.numbers]

    def failed(self, why: str) -> list[str]:
        return [f"{number} failed: {why}" for number in self.numbers]
