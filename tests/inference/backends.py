"""Backends for tests that need no network: what goes in can be told from what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spandrel_aethernet.inference.tensors import TensorBackend


class Repeat(TensorBackend):
    """Repeats pixels, and remembers of which shape each batch was."""

    def __init__(self, *, scale: int = 2, channels: int = 3, max_batch: int = 1, side: int = 64) -> None:
        self.scale, self.channels, self.max_batch, self.side = scale, channels, max_batch, side
        self.device = torch.device("cpu")
        self.shapes: list[tuple[int, ...]] = []
        super().__init__()

    def auto_tile(self) -> int:
        return self.side

    def forward(self, batch: Tensor) -> Tensor:
        assert batch.dtype == torch.float32
        assert batch.shape[1] == self.channels
        assert 0 <= float(batch.min()) <= float(batch.max()) <= 1
        self.shapes.append(tuple(batch.shape))
        return batch.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


def run(backend: TensorBackend, batch: NDArray[np.float32]) -> NDArray[Any]:
    """Return what a network makes of N x C x H x W."""
    return backend.forward(torch.from_numpy(batch).to(backend.device)).float().cpu().numpy()
