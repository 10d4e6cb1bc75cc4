"""Frames a second from end to end: the network alone, with conversions, and with files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..images.files import Picture, read_picture, write_picture
from ..inference.backend import Backend
from ..inference.image_files import FileOptions, upscale_files
from ..inference.jobs import Job
from ..inference.pipeline import Crew, Threads
from ..inference.stream import upscale_pixels, upscale_stream
from ..inference.tensors import TensorBackend
from ..inference.tiling import choose_tiles, places
from ..progress import SILENT, Progress
from .references import ByNumPy, Canned

SIZES: Mapping[str, tuple[int, int]] = {"480p": (480, 640), "720p": (720, 1280), "1080p": (1080, 1920)}
"""Height and width of the frames."""
_ENOUGH_SECONDS = 10.0
"""After which no more frames are timed, nor how pixels were converted before."""
_FEWEST = 4
"""Frames at the least, or nothing could overlap; and at the most of what was before."""


@dataclass(frozen=True)
class Throughput:
    """Seconds a frame through one network, of 8-bit RGB.

    Without files: the network `alone`, on tensors that are ready; from pixels to pixels in memory as
    it is (`memory`) and as it was `before`, converted by NumPy. With PNG files, each stage alone with as
    many threads as it has in the pipeline (`read`, `memory`, `write`), all together (`files`), and
    one after the other (`files_before`). `cpu` is what the three stages take of all cores: CPU seconds by
    the number of cores.
    """

    network: str
    size: str
    frames: int
    alone: float
    memory: float
    memory_before: float | None
    """None, as `files_before`, of a network beside which conversions do not count."""
    cpu: float
    read: float
    write: float
    files: float
    files_before: float | None

    @property
    def slowest(self) -> float:
        """Seconds a frame of the slowest stage with files."""
        return max(self.read, self.memory, self.write)

    @property
    def least(self) -> float:
        """Seconds a frame that no order of work goes below, unless a GPU does part of it."""
        return max(self.slowest, self.cpu)

    def describe(self) -> dict[str, Any]:
        """Return all of it for JSON, with the ratios."""
        return {
            **vars(self),
            "memory_ratio": self.memory / self.alone,
            "files_ratio": self.files / self.slowest,
            "files_to_least": self.files / self.least,
            "files_gain": self.files_before and self.files_before / self.files,
        }


@dataclass(frozen=True)
class Conversions:
    """CPU seconds, of all threads, for what a frame of one size costs besides the network."""

    size: str
    now: float
    before: float


def measure_conversions(size: str, *, scale: int = 2, repeats: int = 9) -> Conversions:
    """Time how 8-bit RGB becomes what a network takes and its output 8-bit RGB, for one of `SIZES`.

    The network only hands out one output that was made before; the median of `repeats` is taken, by turns.
    """
    frame = _frame(size, 0)
    network = Canned(scale, frame.shape[:2])
    both = (partial(network, frame[np.newaxis]), partial(ByNumPy(network), frame[np.newaxis]))
    seconds: list[list[float]] = [[], []]
    for _ in range(repeats):
        for own, convert in zip(seconds, both, strict=True):
            begun = time.process_time()
            convert()
            own.append(time.process_time() - begun)
    return Conversions(size, *(float(np.median(own)) for own in seconds))


def measure_throughput(
    networks: Mapping[str, TensorBackend],
    sizes: Sequence[str] = tuple(SIZES),
    *,
    frames: int = 32,
    threads: Threads | None = None,
    progress: Progress = SILENT,
) -> list[Throughput]:
    """Time each network on `frames` synthetic frames of each of `SIZES`, fewer of one that takes long.

    PNG files lie in a temporary folder. `progress` begins one step of as many parts as there are results.
    """
    progress.begin("throughput", len(networks) * len(sizes))
    results: list[Throughput] = []
    for size in sizes:
        for name, network in networks.items():
            results.append(_measure(name, network, size, frames, threads or Threads.default()))
            progress.advance("throughput")
    return results


def _measure(name: str, network: TensorBackend, size: str, frames: int, threads: Threads) -> Throughput:
    tile, overlap = choose_tiles(network)
    options = FileOptions(tile=tile, overlap=overlap)
    enlarge = partial(upscale_pixels, tile=tile, overlap=overlap)
    begun = time.perf_counter()
    larger = [Picture(enlarge(network, _frame(size, 0)))]
    first = time.perf_counter() - begun
    count = min(frames, max(_FEWEST if first < _ENOUGH_SECONDS else 1, round(_ENOUGH_SECONDS / first)))
    images = [_frame(size, index) for index in range(count)]
    if count > 1:
        larger.append(Picture(enlarge(network, images[1])))
    tiles = places(network, SIZES[size], tile, overlap)
    tensor = torch.rand((1, network.channels, *tiles[0].size), device=network.device)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        jobs = [Job(Path(folder, f"{n}.png"), Path(folder, "out", f"{n}.png")) for n in range(count)]
        for job, image in zip(jobs, images, strict=True):
            write_picture(Picture(image), job.source)
        targets = [(larger[n % 2], Path(folder, "alone", f"{n}.png")) for n in range(count)]

        alone = _cost(lambda: [_forward(network, tensor) for _ in images], count)
        memory = _cost(lambda: _through(network, images, tile, overlap), count)
        read = _cost(lambda: _staged(_read, jobs, threads.load), count)
        write = _cost(lambda: _staged(_write, targets, threads.save), count)
        files = _cost(lambda: list(upscale_files(jobs, network, options, threads=threads)), count)
        memory_before = files_before = None
        if first < _ENOUGH_SECONDS:
            by_numpy, few = ByNumPy(network), images[:_FEWEST]
            again = FileOptions(tile=tile, overlap=overlap, force=True)
            memory_before = _cost(lambda: [enlarge(by_numpy, image) for image in few], len(few)).seconds
            jobs = jobs[:_FEWEST]
            files_before = _cost(lambda: _one_after_the_other(jobs, by_numpy, again), len(jobs)).seconds
    return Throughput(
        network=name,
        size=size,
        frames=count,
        alone=alone.seconds * len(tiles),
        memory=memory.seconds,
        memory_before=memory_before,
        cpu=(memory.cpu + read.cpu + write.cpu) / (os.cpu_count() or 1),
        read=read.seconds,
        write=write.seconds,
        files=files.seconds,
        files_before=files_before,
    )


class _Cost(NamedTuple):
    seconds: float
    cpu: float
    """Seconds of all threads."""


def _cost(work: Callable[[], object], frames: int) -> _Cost:
    """Return what a frame costs."""
    begun = time.perf_counter(), time.process_time()
    work()
    return _Cost((time.perf_counter() - begun[0]) / frames, (time.process_time() - begun[1]) / frames)


@torch.inference_mode()
def _forward(network: TensorBackend, tensor: torch.Tensor) -> float:
    return float(network.forward_of(torch.uint8)(tensor)[0, 0, 0, 0])  # waits for the device


def _through(network: Backend, images: Sequence[NDArray[np.uint8]], tile: int, overlap: int) -> None:
    for _ in upscale_stream(network, enumerate(images), tile=tile, overlap=overlap):
        pass


def _staged(step: Callable[[Any], object], items: Sequence[object], threads: int) -> None:
    with Crew() as crew:
        for _ in crew.ahead(step, items, threads=threads):
            pass


def _read(job: Job) -> Picture:
    return read_picture(job.source)


def _write(item: tuple[Picture, Path]) -> None:
    write_picture(*item)


def _one_after_the_other(jobs: Sequence[Job], backend: Backend, options: FileOptions) -> None:
    tile, overlap = choose_tiles(backend, options.tile, options.overlap)
    for job in jobs:
        pixels = upscale_pixels(backend, read_picture(job.source).pixels, tile=tile, overlap=overlap)
        write_picture(Picture(pixels), job.target, force=options.force)


def _frame(size: str, seed: int) -> NDArray[np.uint8]:
    """Return a frame with edges, slopes and some noise, which compresses about as photographs do."""
    height, width = SIZES[size]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    random = np.random.default_rng(seed)
    waves = [
        np.sin(rows / height * a + seed) + np.sin(columns / width * b)
        for a, b in random.uniform(2, 40, (3, 2))
    ]
    noise = random.normal(0, 0.03, (height, width, 3)).astype(np.float32)
    values = np.stack(waves, axis=2) / 4 + 0.5 + noise + ((rows // 90 + columns // 70) % 2)[:, :, None] * 0.1
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)
