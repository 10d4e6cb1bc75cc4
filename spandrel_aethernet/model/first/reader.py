"""From the keys and shapes of a first-generation file to its hyper-parameters."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from ...errors import CheckpointError
from ..base import AetherBase
from ..generation import Found, Generation, read_untold, variant_of
from ..large_kernel import fuse_large_kernels
from ..sizes import agreed_size, read_depths, read_fused, read_kernels, read_ratio
from .deployed import deployed
from .network import HEAD_WIDTH, VARIANTS, AetherNet
from .operators import operators

_OURS = re.compile(
    r"layers\.\d+\.\d+\.(conv\.(lk_conv|sk_conv|fused_conv|lk_bias|sk_bias)|ffn\.fc1_(gate|main))\b"
)
_SCALE_OF_UPSAMPLERS: Mapping[tuple[int, ...], int] = {(): 1, (0,): 2, (0, 2): 4, (0, 2, 4): 8}


def _claims(keys: Collection[str]) -> bool:
    return any(_OURS.match(key) for key in keys)


def _read(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Found:
    fused = read_fused(tensors, "layers")
    depths = read_depths(tensors, "layers")
    embed_dim = agreed_size(
        tensors, 0, "conv_first.bias", "layers.*.norm.bias", "norm.bias", "conv_after_body.bias"
    )
    hidden = agreed_size(tensors, 0, "layers.*.ffn.fc1_gate.bias", "layers.*.ffn.fc1_main.bias")
    hyperparameters: dict[str, Any] = {
        "in_chans": agreed_size(tensors, 0, "conv_last.weight", "conv_last.bias"),
        "embed_dim": embed_dim,
        "depths": depths,
        "mlp_ratio": read_ratio(embed_dim, hidden),
        "scale": _scale(tensors),
        **read_kernels(tensors, "layers", fused=fused),
        "fused": fused,
    }
    untold, sources = read_untold({"img_range": 1.0}, "assumed", config)
    variant = variant_of(VARIANTS, hyperparameters)
    return Found({**hyperparameters, **untold}, variant, "fused" if fused else "not fused", sources)


def _fused(network: AetherBase) -> AetherBase:
    return network.fuse()


FIRST = Generation("AetherNet", AetherNet, _claims, _read, fuse_large_kernels, deployed, operators, _fused)


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
    wide = agreed_size(tensors, 0, "upsample.0.weight", "upsample.0.bias")
    by_width = {HEAD_WIDTH * 4: 2, HEAD_WIDTH * 9: 3}
    if wide not in by_width:
        raise CheckpointError(
            f"upsample.0 gives {wide} channels, which stands for no scale: expected 256 (2x) or 576 (3x)"
        )
    return by_width[wide]
