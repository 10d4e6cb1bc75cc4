"""TorchScript archives: one that only computes, and one that writes a file as soon as it is opened."""

from __future__ import annotations

import warnings
from io import BytesIO

import torch
from torch import Tensor

CANARY = "canary.bin"
"""The file that `writing` makes in the folder it is opened in, if anything runs it."""


class _Silent(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class _Writing(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))
        self.written = 0

    def forward(self, x: Tensor) -> Tensor:
        return x

    @torch.jit.export
    def __getstate__(  # pyright: ignore[reportIncompatibleMethodOverride]  (TorchScript has no dictionary of Any)
        self,
    ) -> tuple[Tensor, str, bool]:
        return self.weight, "canary.bin", self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, str, bool]) -> None:
        self.weight = state[0]
        self.training = state[2]
        self.written = torch.from_file(state[1], shared=True, size=16).numel()


def silent() -> bytes:
    """Return an archive that does nothing when it is opened."""
    return _archive(_Silent())


def writing() -> bytes:
    """Return an archive that makes the file `CANARY` in the current folder when it is opened."""
    return _archive(_Writing())


def _archive(module: torch.nn.Module) -> bytes:
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch is about to give TorchScript up
        torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()
