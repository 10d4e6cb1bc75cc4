"""What a checkpoint is: its layout, hyper-parameters, trained ranges and tensors, in the form found.

Pure functions of a state_dict, which is never changed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import CheckpointError, check_choice
from ..shapes import shape_text
from .base import AetherBase
from .contents import opened
from .generation import Generation, Source
from .generations import GENERATIONS, generation_of
from .observers import is_observer_key, put_on_trained_grid, read_observers
from .ranges import CALIBRATED_PREFIX, TrainedRanges, ranges_from_tensors, ranges_to_tensors
from .ranges import PREFIX as RANGES_PREFIX
from .unfilled import unfilled

Weights = Literal["grid", "raw"]
"""Which weights a QAT checkpoint gives: on their trained int8 grid, or as the optimizer left them."""
WEIGHTS: tuple[Weights, ...] = ("grid", "raw")

_SCALE = "scale_tensor"
"""The one whole number among a network's tensors."""
_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint is.

    No tensor tells `img_range`, nor `res_scale` of the second generation, nor `sk_kernel` once fused.

        info = spandrel_aethernet.read_checkpoint(state_dict).info
        print(info.variant, info.layout, info.hyperparameters["scale"])
    """

    generation: Generation
    variant: str
    """A published name, or `custom`."""
    form: str
    """`fused`, `not fused`, or which parts are."""
    qat: bool
    """Whether the file holds observers of quantization-aware training, or the ranges collected from them."""
    dtype: torch.dtype
    """The dtype of most parameters."""
    hyperparameters: Mapping[str, Any]
    """Keyword arguments of the generation's network, in the form found in the file."""
    parameters: int
    """How many numbers the network's own tensors hold, observers left out."""
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    """Where the hyper-parameters are from that no tensor tells."""

    @property
    def fused(self) -> bool:
        """Whether the file is in the fused form, all of it."""
        return self.form == "fused"

    @property
    def layout(self) -> str:
        """The form, and `, QAT` where there are observers or their ranges: such as `not fused, QAT`."""
        return self.form + (", QAT" if self.qat else "")

    @property
    def warning(self) -> str | None:
        """A sentence where a value was guessed that changes the picture, or None."""
        if self.sources.get("res_scale") != "assumed":
            return None
        guess = self.hyperparameters["res_scale"]
        return (
            f"res_scale is taken to be {guess:g}: no tensor tells it, the file records no arch_config, and "
            "with another value the picture is another"
        )


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read whole.

    checkpoint = spandrel_aethernet.read_checkpoint(state_dict)
    network = checkpoint.network()
    """

    info: CheckpointInfo
    ranges: TrainedRanges | None
    """The ranges from QAT and from a calibration, or None where the file has neither."""
    state_dict: dict[str, Tensor]
    """The network's tensors in the form found, fused or not, and the ranges as tensors; no observers.

    Tensors are those that were read, in their dtype, but for weights put on their grid: those are new.
    """

    def network(self) -> AetherBase:
        """Build the network in the form found, float32, in evaluation mode."""
        with unfilled():
            network = self.info.generation.network(**self.info.hyperparameters)
        network.load_state_dict(self.state_dict)
        return network.eval()

    def unfilled_fused_network(self) -> AetherBase:
        """Build the network in its fused form, float32, in evaluation mode, for parameters yet to load."""
        network = self.info.generation.network
        with unfilled():
            return network(**network.fused_form(self.info.hyperparameters)).eval()


def detect(state_dict: Mapping[str, object]) -> bool:
    """Tell whether keys look like those of any generation, damaged files included.

    Those are claimed so that `inspect` can say what is wrong with them.
    """
    return any(generation.claims(opened(state_dict).keys) for generation in GENERATIONS)


def read_checkpoint(state_dict: Mapping[str, Any], *, weights: Weights = "grid") -> Checkpoint:
    """Read a state_dict in any layout of any generation, bare or with what a file holds beside it.

    It stays as it is. `weights` chooses what the weights of a QAT checkpoint are: on the int8 grid they were
    trained on (`"grid"`, what the training computed), or as the optimizer left them (`"raw"`).

    Raises `ArgumentError` for other weights, and `CheckpointError` naming the first thing that does not
    fit.

        state_dict = torch.load("aether_small_2x.pth")
        checkpoint = spandrel_aethernet.read_checkpoint(state_dict)
    """
    check_choice("weights", weights, WEIGHTS)
    info = inspect(state_dict)
    tensors: Mapping[str, Tensor] = opened(state_dict).state_dict
    ranges = read_observers(tensors) or ranges_from_tensors(tensors)
    if weights == "grid":
        tensors = put_on_trained_grid(tensors)
    if info.qat:
        tensors = info.generation.as_trained(tensors)
    ours = _own(tensors, info.generation)
    _require_finite(ours)
    return Checkpoint(info, ranges, ours | (ranges_to_tensors(ranges) if ranges else {}))


def inspect(state_dict: Mapping[str, Any]) -> CheckpointInfo:
    """Read layout and hyper-parameters from keys, shapes and dtypes alone, and check that all fit.

    Works on meta tensors. Raises `CheckpointError` naming the first thing that does not fit.
    """
    content = opened(state_dict)
    named: Mapping[Any, Any] = content.state_dict
    for key, value in named.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{key!r} names a value of type {type(value).__name__}: expected tensors only"
            )
    generation = generation_of(content.keys)
    found = generation.read({key: t for key, t in named.items() if not _is_beside(key)}, content.config)
    ours = _own(named, generation)
    _check_shapes(ours, generation.network, found.hyperparameters)
    return CheckpointInfo(
        generation=generation,
        variant=found.variant,
        form=found.layout,
        qat=any(_is_beside(key) and not key.startswith(CALIBRATED_PREFIX) for key in named),
        dtype=_check_dtypes(ours),
        hyperparameters=found.hyperparameters,
        parameters=sum(tensor.numel() for tensor in ours.values()),
        sources=found.sources,
    )


def _own(tensors: Mapping[str, Tensor], generation: Generation) -> dict[str, Tensor]:
    """Return the entries that are the network's, without observers, ranges and records."""
    return {
        key: tensor
        for key, tensor in tensors.items()
        if not _is_beside(key) and key not in generation.records
    }


def _is_beside(key: str) -> bool:
    return is_observer_key(key) or key.startswith(RANGES_PREFIX)


def _check_shapes(
    tensors: Mapping[str, Tensor], network: type[AetherBase], hyperparameters: Mapping[str, Any]
) -> None:
    expected = _shapes(network, **hyperparameters)
    if missing := [key for key in expected if key not in tensors]:
        raise CheckpointError(f"{_some(missing)} missing: the checkpoint is not whole")
    if extra := [key for key in tensors if key not in expected]:
        raise CheckpointError(f"{_some(extra)} not part of AetherNet: another network, or a changed one")
    for key, tensor in tensors.items():
        if tensor.shape != expected[key]:
            raise CheckpointError(
                f"{key} has shape {shape_text(tensor.shape)}: expected {shape_text(expected[key])} "
                "from the other tensors of the file"
            )


@lru_cache(maxsize=16)
def _shapes(network: type[AetherBase], **hyperparameters: Any) -> Mapping[str, torch.Size]:
    """Return the shapes of a network's tensors by their keys; a second file of a kind need not ask again."""
    with torch.device("meta"), unfilled():
        return {key: tensor.shape for key, tensor in network(**hyperparameters).state_dict().items()}


def _check_dtypes(tensors: Mapping[str, Tensor]) -> torch.dtype:
    for key, tensor in tensors.items():
        if tensor.dtype not in _DTYPES and key != _SCALE:
            raise CheckpointError(
                f"{key} is of type {str(tensor.dtype).removeprefix('torch.')}: expected floating-point "
                "weights, so give the checkpoint it was converted from"
            )
    return Counter(tensor.dtype for key, tensor in tensors.items() if key != _SCALE).most_common(1)[0][0]


def _require_finite(tensors: Mapping[str, Tensor]) -> None:
    for key, tensor in tensors.items():
        # A sum is finite only if all numbers are, and told much sooner than each of them.
        finite = math.isfinite(float(tensor.sum(dtype=torch.float32)))
        if not finite and (bad := int((~torch.isfinite(tensor)).sum())):
            raise CheckpointError(f"{key} is NaN or infinite in {bad} places: the checkpoint is damaged")
        if key.endswith(".running_var") and bool((tensor < 0).any()):
            raise CheckpointError(f"{key} holds a negative variance: the checkpoint is damaged")


def _some(keys: list[str]) -> str:
    listed = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    return listed + (" is" if len(keys) == 1 else " are")
