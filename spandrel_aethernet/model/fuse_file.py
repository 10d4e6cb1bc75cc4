"""From a checkpoint file to a fused checkpoint file, checked on the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import CheckpointError
from ..files import check_target
from .checkpoint import CheckpointInfo, Weights, read_checkpoint
from .io import named, read_state_dict, save_state_dict
from .network import AetherNet
from .range_tensors import PREFIX as RANGES_PREFIX

TOLERANCE = 1e-4
"""How far the fused float32 network may be from the not fused one, relative to its outputs or to 1."""


@dataclass(frozen=True)
class FuseReport:
    """What was found and how well the result agrees with it, in values of 0..1."""

    found: CheckpointInfo
    difference: float
    """Largest difference between the network as found and the fused one, both float32."""
    written_difference: float
    """The same, with the fused weights rounded to the dtype they were written in."""
    keeps_ranges: bool
    """Whether trained ranges were written with it."""


def fuse_file(
    source: Path,
    target: Path,
    *,
    dtype: torch.dtype = torch.float32,
    weights: Weights = "grid",
    force: bool = False,
) -> FuseReport:
    """Write `source` fused as `target` (`.pth` or `.safetensors`) after comparing both networks.

    A `.safetensors` carries the trained ranges of a QAT checkpoint too, a `.pth` only the published
    keys. Ranges stay float32 whatever `dtype` is. Raises `CheckpointError` or `OutputError`.
    """
    check_target(target, force=force)
    with named(source):
        checkpoint = read_checkpoint(read_state_dict(source), weights=weights)
    found = checkpoint.network()
    fused = found.fuse()
    state_dict = {
        key: tensor if key.startswith(RANGES_PREFIX) else tensor.to(dtype)
        for key, tensor in fused.state_dict().items()
    }
    for key, tensor in state_dict.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{source}: {key} is too large for {str(dtype).removeprefix('torch.')}: fuse it as float32"
            )
    written = AetherNet(**fused.hyperparameters)
    written.load_state_dict(state_dict)
    difference, size = _largest_difference(found, fused)
    if not difference <= TOLERANCE * max(1.0, size):
        raise CheckpointError(
            f"{source}: fused and not fused outputs differ by {difference:.2g} of {size:.2g}, "
            f"more than {TOLERANCE:g} of it, so nothing was written"
        )
    save_state_dict(state_dict, target, force=force)
    keeps_ranges = checkpoint.ranges is not None and target.suffix.lower() == ".safetensors"
    return FuseReport(checkpoint.info, difference, _largest_difference(found, written)[0], keeps_ranges)


@torch.inference_mode()
def _largest_difference(first: AetherNet, second: AetherNet) -> tuple[float, float]:
    """Return the largest difference of the outputs for one image, and the first's largest magnitude."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, first.in_chans, 64, 96, generator=generator)
    expected, output = first.eval()(image), second.eval()(image)
    return float((expected - output).abs().max()), float(expected.abs().max())
