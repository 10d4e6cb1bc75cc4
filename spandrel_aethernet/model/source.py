"""A network with what tells it apart, from whatever a caller holds: a path, a network, a descriptor."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from spandrel import ImageModelDescriptor

from ..errors import ArgumentError, check_choice
from .base import AetherBase
from .checkpoint import WEIGHTS, Checkpoint, Weights, read_checkpoint
from .io import named, parse_safetensors, read_checkpoint_file, safetensors_bytes


@dataclass(frozen=True)
class NetworkSource:
    """A network, and what it was read from."""

    checkpoint: Checkpoint
    name: str
    """A file name: of the file that was read, or what a network in memory would be saved as."""
    sha256: str
    """Of the file's bytes; for a network in memory of those it would have as float32 `.safetensors`."""
    path: Path | None
    """The file that was read, or None."""


NetworkInput: TypeAlias = str | Path | AetherBase | ImageModelDescriptor[Any] | NetworkSource
"""Whatever a network can be given as: a checkpoint's path, or something that holds one."""


def as_source(given: NetworkInput, *, weights: Weights = "grid", name: str | None = None) -> NetworkSource:
    """Return what a caller gave as a network with its name and its SHA-256.

    A path is read once, with `weights` as `read_checkpoint` takes them. A network in memory, in any
    dtype and on any device, stays as it is: its parameters are copied to the CPU as float32. `name`
    says what to call it, without a suffix; the default is variant and scale, as in `aether_small_2x`.
    A `NetworkSource` is returned as it is.

    Raises `ArgumentError` for other weights, or an object that holds no AetherNet, and
    `CheckpointError`, which names the file, for one that cannot be read or is not a whole AetherNet.
    """
    check_choice("weights", weights, WEIGHTS)
    if isinstance(given, NetworkSource):
        return given
    if isinstance(given, str | Path):
        path = Path(given)
        with named(path):
            file = read_checkpoint_file(path)
            checkpoint = read_checkpoint(file.contents, weights=weights)
        return NetworkSource(checkpoint, path.name, file.sha256, path)
    model: object = given.model if isinstance(given, ImageModelDescriptor) else given
    if not isinstance(model, AetherBase):
        raise ArgumentError(f"{type(model).__name__} is not AetherNet: give a network or a checkpoint")
    return _in_memory(model, weights, name)


def _in_memory(network: AetherBase, weights: Weights, name: str | None) -> NetworkSource:
    found = {key: tensor.detach().cpu() for key, tensor in network.state_dict().items()}
    content = safetensors_bytes(
        {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in found.items()},
        network.arch_config(),
    )
    # Read from those bytes, tensors are copies, in the order in which a file gives them.
    checkpoint = read_checkpoint(parse_safetensors(content), weights=weights)
    stem = name or f"{checkpoint.info.variant}_{network.scale}x"
    return NetworkSource(checkpoint, f"{stem}.safetensors", hashlib.sha256(content).hexdigest(), None)
