"""What workers are given and what they do with it: which model, which files; no pixels travel."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from ..engines.build_plan import BuildOptions
from ..errors import Message
from ..inference.backend import Backend
from ..inference.image_files import FileOptions, Outcome, upscale_files
from ..inference.jobs import Job
from ..inference.open import OpenModel, open_model
from ..inference.pipeline import Threads
from ..inference.tiling import choose_tiles
from ..model.checkpoint import Weights
from ..progress import SILENT, Progress

Result = TypeVar("Result")
_COARSEST_CLOCK = 2.0
"""Seconds by which the same file's time may differ where it is seen over a network."""


@dataclass(frozen=True)
class ModelSpec:
    """What `open_model` takes; it can be pickled."""

    path: Path
    backend: str = "auto"
    device: str = "auto"
    dtype: str = "auto"
    weights: Weights = "grid"
    provider: str = "auto"
    trust: bool = False
    build: BuildOptions | None = None
    precision: str | None = None
    compile: bool | int = False

    def open(self, progress: Progress = SILENT) -> OpenModel:
        """Load it; raises errors as `open_model` does."""
        return open_model(
            **{field.name: getattr(self, field.name) for field in fields(self)}, progress=progress
        )


@dataclass(frozen=True)
class About:
    """What a worker tells of the model that it has loaded."""

    description: str
    scale: int
    channels: int
    precision: str
    """What runs it, and in which number format."""

    @classmethod
    def of(cls, model: OpenModel) -> About:
        """Tell about a model."""
        backend = model.backend
        precision = f"{type(backend).__name__} {getattr(backend, 'dtype', '')}".strip()
        return cls(model.description, backend.scale, backend.channels, precision)


class Task(Protocol[Result]):
    """A piece of work; it can be pickled, and done again by another worker if one dies of it."""

    def run(self, backend: Backend) -> list[Result]:
        """Do it and return what became of each of its parts, also of those that failed."""
        ...

    def parts(self) -> Sequence[Task[Result]]:
        """Return the tasks that it can be divided into, or itself alone."""
        ...

    def failed(self, why: str) -> list[Result]:
        """Return what became of its parts if no worker survives it."""
        ...


@dataclass(frozen=True)
class ImageTask:
    """A few image files."""

    jobs: tuple[Job, ...]
    found: tuple[float | None, ...]
    """When each target was written last before the files were dealt out; None if it was not there."""
    options: FileOptions
    threads: Threads | None = None

    @classmethod
    def of(cls, jobs: Sequence[Job], options: FileOptions, threads: Threads | None = None) -> ImageTask:
        """Look at the targets of files and make a task of them."""
        return cls(tuple(jobs), tuple(_written(job.target) for job in jobs), options, threads)

    def run(self, backend: Backend) -> list[Outcome]:
        """Upscale the files as `upscale_files` does.

        What changed since the files were dealt out is the work of a worker that died before it could tell.
        """
        made = {job for job, found in zip(self.jobs, self.found, strict=True) if _is_new(job.target, found)}
        left = [job for job in self.jobs if job not in made]
        with closing(upscale_files(left, backend, self.options, threads=self.threads)) as running:
            outcomes = {outcome.job: outcome for outcome in running}
        return [outcomes.get(job) or Outcome(job, "written") for job in self.jobs]

    def parts(self) -> list[ImageTask]:
        """Return one task a file."""
        return [
            ImageTask((job,), (found,), self.options, self.threads)
            for job, found in zip(self.jobs, self.found, strict=True)
        ]

    def failed(self, why: str) -> list[Outcome]:
        """Let all files have failed."""
        return [Outcome(job, "failed", Message(f"{job.source}: {why}")) for job in self.jobs]


def _written(target: Path) -> float | None:
    with suppress(OSError):
        return target.stat().st_mtime
    return None


def _is_new(target: Path, found: float | None) -> bool:
    now = _written(target)
    return now is not None and (found is None or abs(now - found) > _COARSEST_CLOCK)


class Worker:
    """A model that is loaded once, and runs tasks."""

    def __init__(self, spec: ModelSpec, threads: int) -> None:
        """Take a model, and how many threads share an operator on a CPU.

        Workers have as many as one process alone, or bytes differ: where a thread's part of a tensor ends,
        PyTorch's vector code leaves the last values to scalar code, which rounds otherwise.
        """
        torch.set_num_threads(threads)
        self._spec = spec
        self._opened: OpenModel | None = None

    def _model(self) -> OpenModel:
        self._opened = self._opened or self._spec.open()
        return self._opened

    def load(self) -> About:
        """Load the model; raises errors as `open_model` does."""
        return About.of(self._model())

    def tiles(self, tile: int | None, overlap: int | None) -> tuple[int, int]:
        """Return what `choose_tiles` does here, where a GPU may have less memory than others."""
        return choose_tiles(self._model().backend, tile, overlap)

    def run(self, task: Task[Result]) -> list[Result]:
        """Run a task."""
        return task.run(self._model().backend)
