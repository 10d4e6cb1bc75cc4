"""Whoever upscales, seen alike: this process alone, processes of this machine, a Ray cluster."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch

from ..inference.backend import Backend
from ..inference.image_files import FileOptions, Outcome, upscale_files
from ..inference.jobs import Job
from ..inference.pipeline import Threads
from ..inference.tiling import choose_tiles
from ..progress import SILENT, Progress
from .cluster import cluster
from .deal import Hands, ask_all, deal
from .devices import check_for_cluster, on_devices, on_processors
from .processes import Processes
from .tasks import About, ImageTask, ModelSpec, Result, Task

_MOST_FILES = 8
"""Files that a worker is given at once, so that it reads and writes while its network runs."""
_TURNS = 4
"""How many times each worker comes for files at least, so that none is left alone at the end."""


class Team(Protocol):
    """A model that is loaded, wherever that is."""

    about: About
    workers: int
    backend: Backend | None
    """What runs the model if that is this process alone."""

    def settled(self, options: FileOptions) -> FileOptions:
        """Return options with tile and overlap as all workers can have them; raises as `choose_tiles` does.

        What a network makes of a pixel depends on its tile, and what a GPU can hold on what else it does.
        """
        ...

    def upscale(
        self,
        jobs: Sequence[Job],
        options: FileOptions | None = None,
        *,
        threads: Threads | None = None,
        progress: Progress = SILENT,
    ) -> Generator[Outcome]:
        """Upscale files as `upscale_files` does; what became of them comes in any order."""
        ...

    def run(self, tasks: Sequence[Task[Result]], *, progress: Progress = SILENT) -> Generator[Result]:
        """Run tasks, and yield what became of their parts in any order."""
        ...


@contextmanager
def team_for(
    spec: ModelSpec,
    *,
    workers: int | None = None,
    ray: str | None = None,
    outputs: Sequence[Path] = (),
    progress: Progress = SILENT,
) -> Generator[Team]:
    """Load a model where it is to run, and end all that was started for it when the block ends.

    `spec.device` may be a list, `cuda:0,cuda:1`, or `all` CUDA GPUs: then there is a process for each of more
    than one. `workers` is the number of processes that share the CPU. `ray` is the address of a Ray cluster,
    or `local` for one that is started here; then `workers` is the number of its actors, and `outputs` are
    files that are to be written. `progress` begins a step `loading` of several workers, a part for each.

    Raises `ArgumentError` for what does not go together, errors as `open_model` does, and `AetherError` if a
    worker dies again and again, or a cluster or a node of it cannot be used.
    """
    threads = torch.get_num_threads()
    if ray is not None:
        check_for_cluster(spec.device)
        with cluster(spec, threads, ray, workers=workers, outputs=outputs) as actors:
            progress.begin("loading", actors.count)
            yield _Dealt(actors, progress, absolute=True)
        return
    models = on_processors(spec, workers) if workers else on_devices(spec)
    if len(models) == 1:
        yield _Alone(models[0][0], progress)
        return
    progress.begin("loading", len(models))
    with Processes(models, threads) as processes:
        yield _Dealt(processes, progress)


class _Alone:
    """This process."""

    workers = 1

    def __init__(self, spec: ModelSpec, progress: Progress) -> None:
        model = spec.open(progress)
        self._own = model.backend
        self.backend: Backend | None = model.backend
        self.about = About.of(model)

    def settled(self, options: FileOptions) -> FileOptions:
        tile, overlap = choose_tiles(self._own, options.tile, options.overlap)
        return replace(options, tile=tile, overlap=overlap)

    def upscale(
        self,
        jobs: Sequence[Job],
        options: FileOptions | None = None,
        *,
        threads: Threads | None = None,
        progress: Progress = SILENT,
    ) -> Generator[Outcome]:
        return upscale_files(jobs, self._own, options, threads=threads, progress=progress)

    def run(self, tasks: Sequence[Task[Result]], *, progress: Progress = SILENT) -> Generator[Result]:
        for task in tasks:
            yield from task.run(self._own)
            progress.poll()


class _Dealt:
    """Workers that are dealt tasks."""

    def __init__(self, hands: Hands, progress: Progress, *, absolute: bool = False) -> None:
        self._hands, self._absolute = hands, absolute
        self.workers = hands.count
        self.backend: Backend | None = None
        first: About = ask_all(hands, "load", progress=progress, step="loading")[0]
        many = "workers" if hands.count > 1 else "worker"
        self.about = replace(first, description=f"{first.description}, {hands.count} {many}")

    def settled(self, options: FileOptions) -> FileOptions:
        tile, overlap = min(ask_all(self._hands, "tiles", options.tile, options.overlap))
        return replace(options, tile=tile, overlap=overlap)

    def upscale(
        self,
        jobs: Sequence[Job],
        options: FileOptions | None = None,
        *,
        threads: Threads | None = None,
        progress: Progress = SILENT,
    ) -> Generator[Outcome]:
        options = self.settled(options or FileOptions())
        told = {self._sent(job): job for job in jobs}
        for outcome in self.run(_in_tasks([*told], self.workers, options, threads), progress=progress):
            yield outcome._replace(job=told[outcome.job])

    def run(self, tasks: Sequence[Task[Result]], *, progress: Progress = SILENT) -> Generator[Result]:
        return deal(tasks, self._hands, progress=progress)

    def _sent(self, job: Job) -> Job:
        if not self._absolute:
            return job
        return job._replace(source=job.source.absolute(), target=job.target.absolute())


def _in_tasks(
    jobs: Sequence[Job], workers: int, options: FileOptions, threads: Threads | None
) -> list[ImageTask]:
    size = min(max(len(jobs) // (workers * _TURNS), 1), _MOST_FILES)
    return [ImageTask.of(jobs[first : first + size], options, threads) for first in range(0, len(jobs), size)]
