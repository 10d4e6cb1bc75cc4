"""What all backends share: pixels become tensors and pixels again where the network runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import cycle
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import AetherError, Hint
from ..images.channels import as_array, as_tensor, feed_for, from_network, to_network
from .backend import Pending, Sample

Forward = Callable[[Tensor], Tensor]
_NOT_FINITE = Hint("if it ran in float16, take an fp32 file, or for a checkpoint {dtype}", dtype="float32")


class TensorBackend(ABC):
    """A network as a function of tensors; see `Backend` for what it is from outside."""

    scale: int
    channels: int
    max_batch: int
    one_tile_size = False
    device: torch.device
    """Where pixels are turned into what the network takes, and its output into pixels."""

    def __init__(self) -> None:
        self._overlapping = _Overlapping(self.device) if self.device.type == "cuda" else None

    @abstractmethod
    def forward(self, batch: Tensor) -> Tensor:
        """Run on N x channels x H x W float32 of 0..1 on `device`; returns floats of any kind, not clamped.

        What it returns may be overwritten by the next call.
        """

    def forward_of(self, pixels: torch.dtype) -> Forward:
        """Return what runs images of pixels of a dtype (see `as_tensor`): `forward` if they are all alike."""
        del pixels
        return self.forward

    @abstractmethod
    def auto_tile(self) -> int:
        """Return the side of the largest square tile that is worth running at once on this device."""

    def __call__(self, batch: NDArray[Sample]) -> NDArray[Sample]:
        """Upscale N x H x W x C; see `Backend`."""
        return self.submit(batch)()

    @torch.inference_mode()
    def submit(self, batch: NDArray[Sample]) -> Pending:
        """Begin to upscale N x H x W x C; see `Backend`.

        On an NVIDIA GPU pixels travel while the network runs on others; elsewhere all is done on return.
        """
        feed = feed_for(batch.shape[3], self.channels)
        pixels = as_tensor(batch)

        forward = self.forward_of(pixels.dtype)

        def run(sent: Tensor) -> tuple[Tensor, Tensor]:
            return from_network(forward(to_network(sent, feed)), feed, sent.dtype)

        if self._overlapping is not None:
            return self._overlapping.submit(pixels, run)
        result, total = run(pixels.to(self.device))
        return lambda: _finite(result.cpu(), total)


class _Overlapping:
    """Runs on one CUDA stream, between copies on two others that take turns.

    So the copies of one batch overlap the run of another; pinned memory lets them.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._runs = torch.cuda.Stream(device)
        self._copies = cycle([torch.cuda.Stream(device), torch.cuda.Stream(device)])

    def submit(self, pixels: Tensor, run: Any) -> Pending:
        copies = next(self._copies)
        pinned = pixels.pin_memory()
        with torch.cuda.stream(copies):
            sent = pinned.to(self._device, non_blocking=True)
        self._runs.wait_stream(copies)
        with torch.cuda.stream(self._runs):
            result, total = run(sent)
        copies.wait_stream(self._runs)
        with torch.cuda.stream(copies):
            received = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
            received.copy_(result, non_blocking=True)
            done = torch.cuda.Event()
            done.record(copies)
        # Memory that another stream still works on must not be given away when it is let go here.
        sent.record_stream(self._runs)
        result.record_stream(copies)

        def wait() -> NDArray[Any]:
            done.synchronize()
            assert pinned.is_pinned()  # it was kept until here, for the copy from it
            return _finite(received, total)

        return wait


def _finite(pixels: Tensor, total: Tensor) -> NDArray[Any]:
    """Raise `AetherError` if a sum tells that not all values were finite."""
    if not torch.isfinite(total):
        raise AetherError("the network's output is not finite", _NOT_FINITE)
    return as_array(pixels)
