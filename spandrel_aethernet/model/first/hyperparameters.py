"""The hyper-parameters of a network, read from the keys and shapes of its tensors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from itertools import count
from typing import Any

from torch import Tensor

from ...errors import CheckpointError
from ..large_kernel import MAX_KERNEL
from .network import HEAD_WIDTH, VARIANTS

_BLOCK = re.compile(r"layers\.(\d{1,9})\.(\d{1,9})\.")
_SCALE_OF_UPSAMPLERS: Mapping[tuple[int, ...], int] = {(): 1, (0,): 2, (0, 2): 4, (0, 2, 4): 8}


def read_hyperparameters(tensors: Mapping[str, Tensor], *, fused: bool) -> dict[str, Any]:
    """Return the keyword arguments of the `AetherNet` that has these tensors, observers and ranges left out.

    Works on meta tensors. `sk_kernel` is left out where `fused` is True, `img_range` always. Raises
    `CheckpointError` for tensors that give no size, scale or kernel; not every tensor is checked.
    """
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


def variant_of(hyperparameters: Mapping[str, Any]) -> str:
    """Return the published name that hyper-parameters have, or `custom`."""
    for name, variant in VARIANTS.items():
        if all(hyperparameters.get(key, value) == value for key, value in asdict(variant).items()):
            return name
    return "custom"


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
    steps = sorted({int(m[1]) for key in tensors if (m := re.match(r"upsample\.(\d{1,9})\.", key))})
    scale = _SCALE_OF_UPSAMPLERS.get(tuple(steps))
    if scale is None:
        raise CheckpointError(
            f"upsample.{', .'.join(map(str, steps))} stand for no scale: expected no such tensors (1x), "
            "upsample.0 (2x or 3x), upsample.0 and .2 (4x), or upsample.0, .2 and .4 (8x)"
        )
    if scale != 2:
        return scale
    wide = _agreed(tensors, 0, "upsample.0.weight", "upsample.0.bias")
    by_width = {HEAD_WIDTH * 4: 2, HEAD_WIDTH * 9: 3}
    if wide not in by_width:
        raise CheckpointError(
            f"upsample.0 gives {wide} channels, which stands for no scale: expected 256 (2x) or 576 (3x)"
        )
    return by_width[wide]
