"""A checkpoint's network in one of its forms, called as a plain module."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..inference.pytorch import PyTorchBackend
from ..inference.tensors import TensorBackend
from ..model.base import AetherBase
from ..model.checkpoint import read_checkpoint
from ..model.generations import as_written, deployed
from ..model.io import named, read_checkpoint_file


class PlainBackend(TensorBackend):
    """A network as whoever has PyTorch would call it, in float32."""

    max_batch = 1

    def __init__(self, network: AetherBase, form: str, device: torch.device) -> None:
        """Take a network as it is in its file, and one of `FORMS` or `plain`."""
        self.device, self.scale, self.channels = device, network.scale, network.in_chans
        super().__init__()
        self._tile = PyTorchBackend(network, device, torch.float32).auto_tile()
        self._network = in_form(network, form).to(device)

    @torch.inference_mode()
    def forward(self, batch: Tensor) -> Tensor:
        """Run; see `TensorBackend`."""
        return self._network(batch)

    def auto_tile(self) -> int:
        """Return what the backend that upscales images would."""
        return self._tile


def read_network(path: Path) -> AetherBase:
    """Return the network of a checkpoint as it is, fused or not. Raises `CheckpointError`."""
    with named(path):
        return read_checkpoint(read_checkpoint_file(path).contents).network()


def in_form(network: AetherBase, form: str) -> AetherBase:
    """Return a network in one of `FORMS`, or `plain`; it stays as it is."""
    if form == "plain":
        return as_written(network)
    if form == "folded":
        return deployed(network, merged=True).eval()
    return (network.fuse() if form == "fused" else network).eval()
