"""What a checkpoint is: layout, hyper-parameters, trained ranges, fused state_dict.

Pure functions of a state_dict, which is never changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from itertools import count
from typing import Any, Literal, cast

import torch
from spandrel import canonicalize_state_dict
from torch import Tensor

from ..errors import CheckpointError, check_choice
from .network import HEAD_WIDTH, MAX_KERNEL, VARIANTS, AetherNet
from .observers import is_observer_key, put_on_trained_grid, read_observers
from .ranges import CALIBRATED_PREFIX, TrainedRanges, ranges_from_tensors, ranges_to_tensors
from .ranges import PREFIX as RANGES_PREFIX

Weights = Literal["grid", "raw"]
"""Which weights a QAT checkpoint gives: on their trained int8 grid, or as the optimiser left them."""
WEIGHTS: tuple[Weights, ...] = ("grid", "raw")

_OURS = re.compile(
    r"layers\.\d+\.\d+\.(conv\.(lk_conv|sk_conv|fused_conv|lk_bias|sk_bias)|ffn\.fc1_(gate|main))\b"
)
_LATER = re.compile(r"stages\.\d+\.\d+\.")
_HEAD = re.compile(r"conv_(first|last|before_upsample)\.")
_BLOCK = re.compile(r"layers\.(\d+)\.(\d+)\.")
_FUSED = re.compile(r"layers\.\d+\.\d+\.conv\.fused_conv\.")
_NOT_FUSED = re.compile(r"layers\.\d+\.\d+\.conv\.(lk_conv|sk_conv|lk_bias|sk_bias)\b")
_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_SCALE_OF_UPSAMPLERS: Mapping[tuple[int, ...], int] = {(): 1, (0,): 2, (0, 2): 4, (0, 2, 4): 8}


@dataclass(frozen=True)
class CheckpointInfo:
    """What keys and shapes tell. `img_range` cannot be told from a file, nor `sk_kernel` from a fused one."""

    variant: str
    """A published name, or `custom`."""
    fused: bool
    """Whether the file is in the fused form."""
    qat: bool
    """Whether the file holds observers of quantisation-aware training, or the ranges collected from them."""
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
    """A checkpoint that was read whole."""

    info: CheckpointInfo
    ranges: TrainedRanges | None
    state_dict: dict[str, Tensor]
    """In the form found, without observers, with the trained ranges as tensors; shares what it can."""

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
    """Read a state_dict in any of the four layouts.

    `weights` chooses what the weights of a QAT checkpoint are: on the grid they were trained on (what
    the training computed), or raw. Raises `ArgumentError` for other weights, and `CheckpointError`
    naming the first thing that does not fit.
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

    Works on meta tensors. Raises `CheckpointError`.
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
    hyperparameters = _read_hyperparameters(ours, fused=fused)
    _check_shapes(ours, hyperparameters)
    return CheckpointInfo(
        variant=_variant(hyperparameters),
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


def _read_hyperparameters(tensors: Mapping[str, Tensor], *, fused: bool) -> dict[str, Any]:
    depths = _depths(tensors)
    embed_dim = _agreed(
        tensors, 0, "conv_first.bias", "layers.*.norm.bias", "norm.bias", "conv_after_body.bias"
    )
    hidden = _agreed(tensors, 0, "layers.*.ffn.fc1_gate.bias", "layers.*.ffn.fc1_main.bias")
    hyperparameters: dict[str, Any] = {
        "in_chans": _agreed(tensors, 0, "conv_last.weight", "conv_last.bias"),
        "embed_dim": embed_dim,
        "depths": depths,
        "mlp_ratio": _ratio(embed_dim, hidden),
        "scale": _scale(tensors),
        "lk_kernel": _kernel(tensors, "fused_conv" if fused else "lk_conv"),
        "fused": fused,
    }
    if not fused:
        hyperparameters["sk_kernel"] = _kernel(tensors, "sk_conv")
        if hyperparameters["sk_kernel"] > hyperparameters["lk_kernel"]:
            raise CheckpointError(
                "the kernels of sk_conv ({sk_kernel}) are larger than those of lk_conv ({lk_kernel})".format(
                    **hyperparameters
                )
            )
    return hyperparameters


def _agreed(tensors: Mapping[str, Tensor], axis: int, *patterns: str) -> int:
    """Return the size that most of the matching tensors have, so that the odd one out is named later."""
    found = (t for key, t in tensors.items() if any(fnmatchcase(key, pattern) for pattern in patterns))
    sizes = Counter(
        tensor.shape[axis] for tensor in found if tensor.numel() > 0 and tensor.ndim > (0 if axis == 0 else 3)
    )
    if not sizes:
        raise CheckpointError(f"{' and '.join(patterns)} are missing or empty: the checkpoint is not whole")
    return sizes.most_common(1)[0][0]


def _depths(keys: Iterable[str]) -> tuple[int, ...]:
    found = {(int(match[1]), int(match[2])) for key in keys if (match := _BLOCK.match(key))}
    depths: list[int] = []
    while (len(depths), 0) in found:
        depths.append(next(block for block in count() if (len(depths), block) not in found))
    if sum(depths) < len(found):
        stage, block = min((s, b) for s, b in found if s >= len(depths) or b > depths[s])
        missing = (len(depths), 0) if stage >= len(depths) else (stage, depths[stage])
        raise CheckpointError(
            f"block layers.{missing[0]}.{missing[1]} is missing, but layers.{stage}.{block} is there"
        )
    return tuple(depths)


def _ratio(embed_dim: int, hidden: int) -> float:
    """Return an `mlp_ratio` for which `int(embed_dim * mlp_ratio)` is the hidden width."""
    ratio = hidden / embed_dim
    return ratio if int(embed_dim * ratio) == hidden else (hidden + 0.5) / embed_dim


def _kernel(tensors: Mapping[str, Tensor], branch: str) -> int:
    kernel = _agreed(tensors, -1, f"layers.*.conv.{branch}.weight")
    if kernel % 2 == 0 or kernel > MAX_KERNEL:
        raise CheckpointError(
            f"layers.*.conv.{branch}.weight has kernels of {kernel}x{kernel}: "
            f"expected an odd size of at most {MAX_KERNEL}"
        )
    return kernel


def _scale(tensors: Mapping[str, Tensor]) -> int:
    steps = sorted({int(m[1]) for key in tensors if (m := re.match(r"upsample\.(\d+)\.", key))})
    scale = _SCALE_OF_UPSAMPLERS.get(tuple(steps))
    if scale is None:
        raise CheckpointError(
            f"upsample.{', .'.join(map(str, steps))} spell no scale: expected none (1x), "
            "upsample.0 (2x or 3x), upsample.0 and .2 (4x), or upsample.0, .2 and .4 (8x)"
        )
    if scale != 2:
        return scale
    wide = _agreed(tensors, 0, "upsample.0.weight", "upsample.0.bias")
    by_width = {HEAD_WIDTH * 4: 2, HEAD_WIDTH * 9: 3}
    if wide not in by_width:
        raise CheckpointError(
            f"upsample.0 gives {wide} channels, which spells no scale: expected 256 (2x) or 576 (3x)"
        )
    return by_width[wide]


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
                f"{key} has shape {_times(tensor.shape)}: expected {_times(expected[key].shape)} "
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


def _variant(hyperparameters: Mapping[str, Any]) -> str:
    for name, variant in VARIANTS.items():
        if all(hyperparameters.get(key, value) == value for key, value in asdict(variant).items()):
            return name
    return "custom"


def _some(keys: list[str]) -> str:
    listed = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    return listed + (" is" if len(keys) == 1 else " are")


def _times(shape: torch.Size) -> str:
    return "×".join(map(str, shape)) or "()"
