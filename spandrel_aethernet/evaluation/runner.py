"""One contestant of a benchmark at work, in the process that is its own; see `children`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..inference.backend import means_of
from ..inference.open import backend_for, open_model
from ..inference.pytorch import choose_device
from ..inference.stream import upscale_pixels
from ..inference.tensors import TensorBackend
from ..inference.tiling import MEANS_PASSES, choose_tiles, places
from . import multiply_adds
from .contestants import Contestant
from .forms import PlainBackend, in_form, read_network
from .memory import forget_peak, memory
from .pairs import PairFiles, read_pair

_MATRIX_SIDE = {"cpu": 2048, "cuda": 8192}
_COMPILED_SIDE = 128
"""Of tiles, to see how good a compiled network is."""


@dataclass(frozen=True)
class Loaded:
    """What is known of a contestant when it has been loaded."""

    description: str
    scale: int
    channels: int
    device: str
    seconds: float
    """From the file to what is ready to run; compiling that waits for an image is not in it."""
    multiply_adds: float | None
    """For each pixel that goes in; None where nothing tells."""


@dataclass(frozen=True)
class Prepared:
    """What was found before the timed passes over images of one size."""

    seconds: float
    """Of compiling and the first run, which is not counted: of a whole image, or one batch of its tiles."""
    tiles: int
    pixels: int
    """That the network sees in one pass: those in which tiles overlap as often as they do."""
    description: str
    """What runs it."""


class Runner:
    """A model file, opened as a contestant says; compiled anew for the tiles of each size."""

    def __init__(self, contestant: Contestant, threads: int) -> None:
        """Take a contestant, and how many threads share an operator on a CPU."""
        torch.set_num_threads(threads)
        self._contestant = contestant
        self._opened: _Opened | None = None
        self._compiled_side = 0
        self._largest_tile = 0
        self._batches: list[Tensor] = []
        self._before = 0

    def load(self) -> Loaded:
        """Load it, not compiled yet; raises errors as `open_model` does."""
        found = memory()
        self._before = found.now if found else 0
        begun = time.perf_counter()
        opened = self._opened = _opened(self._contestant)
        seconds = time.perf_counter() - begun
        backend = opened.backend
        self._largest_tile = backend.auto_tile()
        products = _multiply_adds(self._contestant)
        device = str(backend.device)
        return Loaded(opened.description, backend.scale, backend.channels, device, seconds, products)

    def prepare(self, width: int, height: int) -> Prepared:
        """Make an image of this size, cut as the backend takes it, and run once."""
        begun = time.perf_counter()
        self._compile(min(self._largest_tile, width, height))
        compiling = time.perf_counter() - begun
        backend = self._backend
        self._batches = _batches(backend, width, height)
        begun = time.perf_counter()
        self._forward(self._batches[:1])
        seconds = compiling + time.perf_counter() - begun
        forget_peak()
        if backend.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(backend.device)
        tiles = sum(batch.shape[0] for batch in self._batches)
        pixels = sum(batch.shape[0] * batch.shape[2] * batch.shape[3] for batch in self._batches)
        assert self._opened is not None
        return Prepared(seconds, tiles, pixels, self._opened.description)

    def run(self) -> float:
        """Return the seconds that one pass over the image takes."""
        begun = time.perf_counter()
        self._forward(self._batches)
        return time.perf_counter() - begun

    def peak(self) -> int | None:
        """Return the bytes that the passes took at most, without what the process had before it loaded."""
        backend = self._backend
        if backend.device.type == "cuda":
            return torch.cuda.max_memory_allocated(backend.device)
        found = memory()
        return max(found.peak - self._before, 0) if found else None

    def upscale(self, pair: PairFiles, target: Path) -> None:
        """Upscale the small image of a pair as `upscale` does, and write the pixels as NumPy's `.npy`.

        What is compiled runs in tiles smaller than the photographs, or it would run as it always does.
        """
        self._compile(_COMPILED_SIDE)
        backend = self._backend
        tile, overlap = choose_tiles(backend)
        np.save(
            target, upscale_pixels(backend, read_pair(pair, backend.scale).small, tile=tile, overlap=overlap)
        )

    def _compile(self, side: int) -> None:
        """Open a contestant that is to be compiled for tiles of a side in pixels, unless it is."""
        if not self._contestant.compiled or side == self._compiled_side:
            return
        self._opened = None  # or both are held for a moment
        torch.compiler.reset()  # or the code of earlier sizes counts against how often it is compiled
        self._opened, self._compiled_side = _opened(self._contestant, side=side), side

    @property
    def _backend(self) -> TensorBackend:
        assert self._opened is not None
        return self._opened.backend

    @torch.inference_mode()
    def _forward(self, batches: list[Tensor]) -> None:
        """Run as images of 8 bits are run, and wait for the device."""
        forward = self._backend.forward_of(torch.uint8)
        for batch in batches:
            forward(batch)
        _wait(self._backend.device)


class Matrix:
    """A product of two large float32 matrices by PyTorch: what the machine could do."""

    def __init__(self, device: str, threads: int, side: int | None = None) -> None:
        """Take a device, how many threads share an operator on a CPU, and the matrices' rows and columns."""
        torch.set_num_threads(threads)
        self._device = choose_device(device)
        self.side = side or _MATRIX_SIDE.get(self._device.type, 4096)

    def load(self) -> int:
        """Make the matrices, multiply once, and return how many multiply-adds that is."""
        generator = torch.Generator().manual_seed(0)
        self._matrix = torch.rand((self.side, self.side), generator=generator).to(self._device)
        self.run()
        return self.side**3

    @torch.inference_mode()
    def run(self) -> float:
        """Return the seconds that one product takes."""
        begun = time.perf_counter()
        torch.mm(self._matrix, self._matrix)
        _wait(self._device)
        return time.perf_counter() - begun


class _Opened(NamedTuple):
    backend: TensorBackend
    description: str


def _opened(contestant: Contestant, *, side: int | None = None) -> _Opened:
    """Open a contestant; one that is to be compiled is, for tiles of `side` pixels if that is given."""
    if contestant.form is None:
        options: dict[str, Any] = dict(contestant.options)
        if contestant.compiled:
            options["compile"] = side or False
        opened = open_model(contestant.path, **options)
        assert isinstance(opened.backend, TensorBackend)
        return _Opened(opened.backend, opened.description)
    device = choose_device(str(contestant.options["device"]))
    network = read_network(contestant.path)
    name = f"{contestant.path.name}: {contestant.form.replace('-', ' ')}"
    backend = PlainBackend(network, contestant.form, device)
    return _Opened(backend, f"{name}, {network.scale}x, float32 on {device}")


def _multiply_adds(contestant: Contestant) -> float | None:
    """Count by the file, because what is compiled or fused for speed shows its products no more."""
    kind = backend_for(contestant.path)
    if kind == "onnx":
        return multiply_adds.of_onnx(contestant.path)
    if kind != "pytorch":
        return None
    return multiply_adds.of_network(in_form(read_network(contestant.path), contestant.form or "fused"))


def _batches(backend: TensorBackend, width: int, height: int) -> list[Tensor]:
    """Cut a random image as the backend takes it, all on its device.

    What averages over a whole image that is cut gets all tiles twice, as when images are upscaled.
    """
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((1, backend.channels, height, width), generator=generator).to(backend.device)
    cut = [
        image[:, :, place.rows.start : place.rows.stop, place.columns.start : place.columns.stop]
        for place in places(backend, (height, width), *choose_tiles(backend))
    ]
    many = max(backend.max_batch, 1)
    batches = [torch.cat(cut[first : first + many]) for first in range(0, len(cut), many)]
    again = MEANS_PASSES if len(cut) > 1 and means_of(backend) else 0
    return batches * (1 + again)


def _wait(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
