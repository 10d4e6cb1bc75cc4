"""What a checkpoint is: its layout, hyper-parameters, trained ranges and tensors, in the form found.

Pure functions of a state_dict, which is never changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from spandrel import canonicalize_state_dict
from torch import Tensor

from ..errors import CheckpointError, check_choice
from ..shapes import shape_text
from .first.hyperparameters import read_hyperparameters, variant_of
from .first.network import AetherNet
from .observers import is_observer_key, put_on_trained_grid, read_observers
from .ranges import CALIBRATED_PREFIX, TrainedRanges, ranges_from_tensors, ranges_to_tensors
from .ranges import PREFIX as RANGES_PREFIX

Weights = Literal["grid", "raw"]
"""Which weights a QAT checkpoint gives: on their trained int8 grid, or as the optimizer left them."""
WEIGHTS: tuple[Weights, ...] = ("grid", "raw")

_OURS = re.compile(
    r"layers\.\d+\.\d+\.(conv\.(lk_conv|sk_conv|fused_conv|lk_bias|sk_bias)|ffn\.fc1_(gate|main))\b"
)
_LATER = re.compile(r"stages\.\d+\.\d+\.")
_HEAD = re.compile(r"conv_(first|last|before_upsample)\.")
_FUSED = re.compile(r"layers\.\d+\.\d+\.conv\.fused_conv\.")
_NOT_FUSED = re.compile(r"layers\.\d+\.\d+\.conv\.(lk_conv|sk_conv|lk_bias|sk_bias)\b")
_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@dataclass(frozen=True)
class CheckpointInfo:
    """What keys, shapes and dtypes tell of a checkpoint.

    No file tells `img_range`, and no fused one `sk_kernel`.

        info = spandrel_aethernet.read_checkpoint(state_dict).info
        print(info.variant, info.layout, info.hyperparameters["scale"])
    """

    variant: str
    """A published name, or `custom`."""
    fused: bool
    """Whether the file is in the fused form."""
    qat: bool
    """Whether the file holds observers of quantization-aware training, or the ranges collected from them."""
    dtype: torch.dtype
    """The dtype of most parameters."""
    hyperparameters: Mapping[str, Any]
    """Keyword arguments of `AetherNet`, `fused` as found in the file."""
    parameters: int
    """How many numbers the network's own tensors hold, observers left out."""

    @property
    def layout(self) -> str:
        """One of `not fused`, `fused`, `not fused, QAT` and `fused, QAT`."""
        return ("fused" if self.fused else "not fused") + (", QAT" if self.qat else "")


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

    def network(self) -> AetherNet:
        """Build the network in the form found, float32, in evaluation mode."""
        network = AetherNet(**self.info.hyperparameters)
        network.load_state_dict(self.state_dict)
        return network.eval()


def detect(state_dict: Mapping[str, object]) -> bool:
    """Tell whether keys look like AetherNet's, damaged files and the later generation included.

    Those are claimed so that `inspect` can say what is wrong with them.
    """
    named: Mapping[Any, Any] = unwrapped(state_dict)
    keys = [key for key in named if isinstance(key, str)]
    later = any(_LATER.match(key) for key in keys)
    return any(_OURS.match(key) for key in keys) or (later and any(_HEAD.match(key) for key in keys))


def unwrapped(state_dict: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take off the one published wrapper that spandrel leaves on where other keys lie beside it."""
    inner = state_dict.get("net_g")
    return canonicalize_state_dict(cast(dict[str, Any], inner)) if isinstance(inner, dict) else state_dict


def read_checkpoint(state_dict: Mapping[str, Any], *, weights: Weights = "grid") -> Checkpoint:
    """Read a state_dict in any of the four layouts; it stays as it is.

    `weights` chooses what the weights of a QAT checkpoint are: on the int8 grid they were trained on
    (`"grid"`, what the training computed), or as the optimizer left them (`"raw"`).

    Raises `ArgumentError` for other weights, and `CheckpointError` naming the first thing that does not
    fit.

        state_dict = torch.load("aether_small_2x.pth")
        checkpoint = spandrel_aethernet.read_checkpoint(state_dict)
    """
    check_choice("weights", weights, WEIGHTS)
    state_dict = unwrapped(state_dict)
    info = inspect(state_dict)
    tensors: Mapping[str, Tensor] = state_dict
    if weights == "grid":
        tensors = put_on_trained_grid(tensors)
    ours = {key: tensor for key, tensor in tensors.items() if not _is_beside(key)}
    _require_finite(ours)
    ranges = read_observers(state_dict) or ranges_from_tensors(state_dict)
    return Checkpoint(info, ranges, ours | (ranges_to_tensors(ranges) if ranges else {}))


def inspect(state_dict: Mapping[str, Any]) -> CheckpointInfo:
    """Read layout and hyper-parameters from keys, shapes and dtypes alone, and check that all fit.

    Works on meta tensors. Raises `CheckpointError` naming the first thing that does not fit.
    """
    state_dict = unwrapped(state_dict)
    named: Mapping[Any, Any] = state_dict
    for key, value in named.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{key!r} names a value of type {type(value).__name__}: expected tensors only"
            )
    ours: dict[str, Tensor] = {key: value for key, value in state_dict.items() if not _is_beside(key)}
    fused = _is_fused(ours)
    hyperparameters = read_hyperparameters(ours, fused=fused)
    _check_shapes(ours, hyperparameters)
    return CheckpointInfo(
        variant=variant_of(hyperparameters),
        fused=fused,
        qat=any(_is_beside(key) and not key.startswith(CALIBRATED_PREFIX) for key in state_dict),
        dtype=_check_dtypes(ours),
        hyperparameters=hyperparameters,
        parameters=sum(tensor.numel() for tensor in ours.values()),
    )


def _is_beside(key: str) -> bool:
    return is_observer_key(key) or key.startswith(RANGES_PREFIX)


def _is_fused(keys: Collection[str]) -> bool:
    if later := next(filter(_LATER.match, keys), None):
        raise CheckpointError(
            f"this is a later generation of AetherNet (it has stages.* keys such as {later}), another "
            "architecture that was never released: only files with layers.* keys are supported"
        )
    fused = next(filter(_FUSED.match, keys), None)
    not_fused = next(filter(_NOT_FUSED.match, keys), None)
    if fused and not_fused:
        raise CheckpointError(
            f"fused and not fused keys are mixed in one file ({fused} and {not_fused}): export it again"
        )
    if not fused and not not_fused:
        raise CheckpointError(
            "no layers.S.B.conv.lk_conv.weight (not fused) and no layers.S.B.conv.fused_conv.weight (fused): "
            "this is not an AetherNet checkpoint"
        )
    return fused is not None


def _check_shapes(tensors: Mapping[str, Tensor], hyperparameters: Mapping[str, Any]) -> None:
    with torch.device("meta"):
        expected = AetherNet(**hyperparameters).state_dict()
    if missing := [key for key in expected if key not in tensors]:
        raise CheckpointError(f"{_some(missing)} missing: the checkpoint is not whole")
    if extra := [key for key in tensors if key not in expected]:
        raise CheckpointError(f"{_some(extra)} not part of AetherNet: another network, or a changed one")
    for key, tensor in tensors.items():
        if tensor.shape != expected[key].shape:
            raise CheckpointError(
                f"{key} has shape {shape_text(tensor.shape)}: expected {shape_text(expected[key].shape)} "
                "from the other tensors of the file"
            )


def _check_dtypes(tensors: Mapping[str, Tensor]) -> torch.dtype:
    for key, tensor in tensors.items():
        if tensor.dtype not in _DTYPES:
            raise CheckpointError(
                f"{key} is of type {str(tensor.dtype).removeprefix('torch.')}: expected floating-point "
                "weights, so give the checkpoint it was converted from"
            )
    return Counter(tensor.dtype for tensor in tensors.values()).most_common(1)[0][0]


def _require_finite(tensors: Mapping[str, Tensor]) -> None:
    for key, tensor in tensors.items():
        if bad := int((~torch.isfinite(tensor)).sum()):
            raise CheckpointError(f"{key} is NaN or infinite in {bad} places: the checkpoint is damaged")


def _some(keys: list[str]) -> str:
    listed = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    return listed + (" is" if len(keys) == 1 else " are")
