"""What tells the generations of AetherNet apart, and how each is read: one object for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import Tensor

from ..errors import CheckpointError
from .base import AetherBase
from .operators import QuantizedOp

Source = Literal["arch_config", "variant", "assumed"]
"""Where a value is from that no tensor tells: the file's own record of how the network was built, the
published variant that all else fits, or a guess."""


@dataclass(frozen=True)
class Found:
    """What a generation's reader makes of a file."""

    hyperparameters: Mapping[str, Any]
    """Keyword arguments of the generation's network, in the form found."""
    variant: str
    """A published name, or `custom`."""
    layout: str
    """`fused`, `not fused`, or which parts are."""
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    """The hyper-parameters that no tensor tells."""


class Deployed(Protocol):
    """From a network to the form in which it is exported."""

    def __call__(self, network: AetherBase, *, merged: bool, for_cpu: bool = False) -> AetherBase:
        """Return a fused copy, in which `operators` name modules.

        `merged` joins products that share an input, so that they share what is quantized; `for_cpu` arranges
        all as it is fastest in ONNX Runtime on a CPU, where they may be apart all the same (see
        `QuantizedOp.apart`).
        """
        ...


@dataclass(frozen=True)
class Generation:
    """A generation: its network, and functions of its state_dicts."""

    name: str
    """How spandrel calls the architecture."""
    network: type[AetherBase]
    claims: Callable[[Collection[str]], bool]
    """Tells whether keys look like it, damaged files included."""
    read: Callable[[Mapping[str, Tensor], Mapping[str, Any]], Found]
    """From its tensors, observers left out, and the file's `arch_config`; raises `CheckpointError`."""
    fuse: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    """From a state_dict to a new one in the fused form."""
    deployed: Deployed
    operators: Callable[[Mapping[str, Any]], list[QuantizedOp]]
    """From hyper-parameters to the operators that can be INT8."""
    runnable: Callable[[AetherBase], AetherBase]
    """From a network to a fused copy as PyTorch runs it."""
    records: frozenset[str] = frozenset()
    """Keys of what a file says of itself, which are no part of the network."""
    as_trained: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = dict
    """From the state_dict of a quantization-aware training to one that computes what the training did."""


def read_untold(
    guesses: Mapping[str, float], guessed: Source, config: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, Source]]:
    """Return what no tensor tells, from the file's record or else as guessed, and where each is from.

    Raises `CheckpointError` for a recorded value that no network has.
    """
    values: dict[str, float] = {}
    sources: dict[str, Source] = {}
    for name, guess in guesses.items():
        recorded = config.get(name)
        if recorded is None:
            values[name], sources[name] = guess, guessed
        elif isinstance(recorded, int | float) and math.isfinite(recorded) and recorded:
            values[name], sources[name] = float(recorded), "arch_config"
        else:
            raise CheckpointError(f"arch_config says {name} {recorded!r}: the checkpoint is damaged")
    return values, sources


def variant_of(variants: Mapping[str, object], told: Mapping[str, Any]) -> str:
    """Return the name of the variant, a dataclass, that all hyper-parameters agree with, or `custom`."""
    for name, variant in variants.items():
        if all(told.get(key, value) == value for key, value in vars(variant).items()):
            return name
    return "custom"
