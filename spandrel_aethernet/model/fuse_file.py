"""From a network or a file to its fused form, which is compared with the form found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import CheckpointError, Hint
from ..files import check_target
from .base import AetherBase
from .checkpoint import CheckpointInfo, Weights
from .io import save_state_dict
from .ranges import PREFIX as RANGES_PREFIX
from .source import NetworkInput, NetworkSource, as_source

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


def fuse(
    network: NetworkInput, *, dtype: torch.dtype = torch.float32, weights: Weights = "grid"
) -> AetherBase:
    """Return a network in its fused form, as a new network on the CPU, in evaluation mode, in `dtype`.

    Takes a checkpoint's path, or a network or descriptor in memory, which stays as it is. `weights`
    chooses what the weights of a QAT checkpoint are, as in `read_checkpoint`. Trained ranges come
    along, in float32 whatever `dtype` is. Both forms are run on one image, 1 x C x 64 x 96 with values
    0..1, and compared.

    Raises `ArgumentError` for other weights or an object that holds no AetherNet, and `CheckpointError`
    for a file that cannot be read, weights too large for `dtype`, or outputs that differ by more than
    1e-4 of the largest.

        network = spandrel_aethernet.load_model("aether_small_2x.pth").model
        half = spandrel_aethernet.fuse(network, dtype=torch.float16)
    """
    source = as_source(network, weights=weights)
    return _fuse(source, dtype)[0].to(dtype)


def fuse_file(
    source: NetworkInput,
    target: Path,
    *,
    dtype: torch.dtype = torch.float32,
    weights: Weights = "grid",
    force: bool = False,
) -> FuseReport:
    """Write a network fused as `target` (`.pth` or `.safetensors`) after comparing both forms.

    A `.safetensors` carries the trained ranges of a QAT checkpoint too, a `.pth` only the published
    keys. Ranges stay float32 whatever `dtype` is. Raises what `fuse` raises, and `OutputError` for a
    target that cannot be written, or that exists where `force` is False.
    """
    check_target(target, force=force)
    source = as_source(source, weights=weights)
    fused, difference, written_difference = _fuse(source, dtype)
    fused.to(dtype)
    save_state_dict(fused.state_dict(), target, config=fused.arch_config(), force=force)
    info, ranges = source.checkpoint.info, source.checkpoint.ranges
    keeps_ranges = ranges is not None and target.suffix.lower() == ".safetensors"
    return FuseReport(info, difference, written_difference, keeps_ranges)


def _fuse(source: NetworkSource, dtype: torch.dtype) -> tuple[AetherBase, float, float]:
    """Return the fused network, rounded to `dtype` but in float32, and both differences of a report."""
    found = source.checkpoint.network()
    fused = found.fuse()
    difference, largest = _largest_difference(found, fused)
    where = source.path or source.name
    if not difference <= TOLERANCE * max(1.0, largest):
        raise CheckpointError(
            f"{where}: fused and not fused outputs differ by {difference:.2g} of {largest:.2g}, "
            f"more than {TOLERANCE:g} of it: this network cannot be fused in float32"
        )
    fused.to(dtype).float()
    for key, tensor in fused.state_dict().items():
        if not key.startswith(RANGES_PREFIX) and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{where}: {key} is too large for {str(dtype).removeprefix('torch.')}",
                Hint("fuse it as float32"),
            )
    return fused, difference, _largest_difference(found, fused)[0]


@torch.inference_mode()
def _largest_difference(first: AetherBase, second: AetherBase) -> tuple[float, float]:
    """Return the largest difference of the outputs for one image, and the amax of the first's."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, first.in_chans, 64, 96, generator=generator)
    expected, output = first(image), second(image)
    return float((expected - output).abs().max()), float(expected.abs().max())
