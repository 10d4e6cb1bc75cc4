"""All generations, and which of them a file is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..errors import CheckpointError
from .base import AetherBase
from .first.network import AetherBlock
from .first.reader import FIRST
from .generation import Generation
from .operators import QuantizedOp
from .ranges import TrainedRanges
from .second.blocks import AetherBlock2
from .second.reader import SECOND

GENERATIONS = (FIRST, SECOND)


def deployed(network: AetherBase, *, merged: bool, for_cpu: bool = False) -> AetherBase:
    """Return a fused copy as it is exported, whichever generation the network is of (see `Generation`)."""
    return generation_of_network(network).deployed(network, merged=merged, for_cpu=for_cpu)


def runnable(network: AetherBase) -> AetherBase:
    """Return a fused copy, in evaluation mode, as PyTorch runs it."""
    return generation_of_network(network).runnable(network).eval()


def as_written(network: AetherBase) -> AetherBase:
    """Return a fused copy, in evaluation mode, that computes each operator on the whole map, no strips.

    It is the formula as published, to measure against and to compare with.
    """
    copy = network.fuse().eval()
    for module in copy.modules():
        if isinstance(module, AetherBlock | AetherBlock2):
            module.strips = False
    return copy


def planned(
    network: AetherBase, preset: str, ranges: TrainedRanges | None, *, budget: bool = False
) -> list[QuantizedOp]:
    """List the operators that `preset` quantizes in a network with these ranges, in the order they run.

    Those of a `budget` are all that may be, of which it takes what it has room for.
    """
    table = generation_of_network(network).operators(network.hyperparameters)
    if preset != "onnxruntime":
        return [op for op in table if preset in op.presets and (budget or _wanted(op, ranges))]
    if budget:
        ops = [replace(op, output=op.dense) for op in table if preset in op.presets or op.dense]
    else:
        ops = [op for op in table if preset in op.presets and _wanted(op, ranges)]
    return [part for op in ops for part in op.apart()]


def _wanted(op: QuantizedOp, ranges: TrainedRanges | None) -> bool:
    return not op.qat_only or op.on_grid(ranges)


def generation_of_network(network: AetherBase) -> Generation:
    """Return the generation that a network is of."""
    return next(generation for generation in GENERATIONS if isinstance(network, generation.network))


def generation_of(keys: Collection[str]) -> Generation:
    """Return the generation that keys are of.

    Raises `CheckpointError` for keys of none, and for those of several, of which it names two.
    """
    found = [generation for generation in GENERATIONS if generation.claims(keys)]
    if len(found) > 1:
        names = " and ".join(generation.name for generation in found)
        raise CheckpointError(f"keys of {names} are mixed in one file: export it again")
    if not found:
        raise CheckpointError("no layers.S.B and no stages.S.B keys: this is not an AetherNet checkpoint")
    return found[0]
