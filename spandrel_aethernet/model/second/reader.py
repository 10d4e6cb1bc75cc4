"""From the keys, shapes and recorded configuration of a second-generation file to its hyper-parameters."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from ...errors import CheckpointError
from ..base import SCALES
from ..generation import Found, Generation, read_untold, variant_of
from ..sizes import agreed_size, read_depths, read_fused, read_kernels, read_ratio
from .blocks import head_width
from .deployed import deployed
from .fuse import fuse_state_dict
from .network import PUBLISHED_NAMES, VARIANTS, AetherNet2
from .operators import operators
from .versions import RECORDS, refuse_other_versions

_BLOCK = re.compile(
    r"stages\.\d+\.\d+\.(conv\.(lk_conv|sk_conv|fused_conv|lk_bias|sk_bias)|ffn\.conv_(gate|main|out))\b"
)
_HEAD = re.compile(r"conv_(first|last|before_upsample)\.")
_ERROR_COMP = "quant_fusion_layer.error_comp"


def _claims(keys: Collection[str]) -> bool:
    return any(_BLOCK.match(key) for key in keys) and any(_HEAD.match(key) for key in keys)


def _read(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Found:
    refuse_other_versions(tensors)
    fused = read_fused(tensors, "stages")
    embed_dim = agreed_size(tensors, 0, "conv_first.bias", "conv_after_body.bias", "stages.*.conv_out.bias")
    hidden = agreed_size(tensors, 0, "stages.*.ffn.conv_gate.bias", "stages.*.ffn.conv_main.bias")
    norm, norm_fused = _norm(tensors)
    told: dict[str, Any] = {
        "in_chans": agreed_size(tensors, 0, "conv_last.weight", "conv_last.bias"),
        "embed_dim": embed_dim,
        "depths": read_depths(tensors, "stages"),
        "mlp_ratio": read_ratio(embed_dim, hidden),
        "scale": _scale(tensors, embed_dim),
        **read_kernels(tensors, "stages", fused=fused),
        "norm": norm,
        "channel_attn": any(".channel_attn." in key for key in tensors),
        "spatial_attn": any(".spatial_attn." in key for key in tensors),
        "fused": fused,
        "norm_fused": norm_fused,
    }
    _agree(told, config)
    variant = variant_of(VARIANTS, told)
    known = VARIANTS.get(variant)
    guesses = {"res_scale": known.res_scale if known else 0.2 if embed_dim == 64 else 0.1, "img_range": 1.0}
    untold, sources = read_untold(guesses, "variant" if known else "assumed", config)
    return Found({**told, **untold}, variant, _layout(told), sources)


def _as_trained(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out the error compensation, which a quantization-aware training does not compute."""
    found = dict(state_dict)
    if _ERROR_COMP in found:
        found[_ERROR_COMP] = torch.zeros_like(found[_ERROR_COMP])
    return found


SECOND = Generation(
    "AetherNet2",
    AetherNet2,
    _claims,
    _read,
    fuse_state_dict,
    deployed,
    operators,
    partial(deployed, merged=True),
    RECORDS,
    _as_trained,
)


def _norm(tensors: Mapping[str, Tensor]) -> tuple[str, bool]:
    """Return which norm it is, and whether its statistics are fused into it."""
    weights = [key for key in tensors if re.fullmatch(r"(stages\.\d+\.\d+\.)?norm\.weight", key)]
    if agreed_rank([tensors[key] for key in weights]) == 1:
        return "layernorm", False
    means = [key for key in tensors if key.endswith("norm.running_mean")]
    return "deployment", not means


def agreed_rank(tensors: list[Tensor]) -> int:
    """Return how many axes most of the tensors have; 4 if there are none."""
    ranks = [tensor.ndim for tensor in tensors]
    return max(set(ranks), key=ranks.count, default=4)


def _layout(told: Mapping[str, Any]) -> str:
    norm_fused = told["fused"] if told["norm"] == "layernorm" else told["norm_fused"]
    if told["fused"] == norm_fused:
        return "fused" if told["fused"] else "not fused"
    return "fused convolutions, not fused norms" if told["fused"] else "not fused convolutions, fused norms"


def _scale(tensors: Mapping[str, Tensor], embed_dim: int) -> int:
    tensor = tensors["scale_tensor"]
    scale = (
        int(tensor) if tensor.numel() == 1 and not tensor.is_meta and not tensor.is_floating_point() else 0
    )
    by_width = _scale_of_upsampler(tensors, embed_dim)
    if tensor.is_meta and by_width:
        return by_width
    if scale not in SCALES:
        raise CheckpointError(f"scale_tensor is {scale}: expected one of {', '.join(map(str, SCALES))}")
    if by_width != scale:
        raise CheckpointError(
            f"scale_tensor says {scale}x, but upsample.blocks is that of {by_width or 'no'}x"
        )
    return scale


def _scale_of_upsampler(tensors: Mapping[str, Tensor], embed_dim: int) -> int | None:
    """Return the scale whose convolutions there are, or None."""
    widths = {
        int(match[1]): tensor.shape[0]
        for key, tensor in tensors.items()
        if (match := re.fullmatch(r"upsample\.blocks\.(\d{1,9})\.weight", key)) and tensor.ndim
    }
    for scale in SCALES:
        factor = 9 if scale == 3 else 1 if scale == 1 else 4
        steps = 1 if scale in (1, 3) else scale.bit_length() - 1
        last = 2 * (steps - 1)
        if (
            sorted(widths) == list(range(0, last + 1, 2))
            and widths[last] == head_width(embed_dim, scale) * factor
        ):
            return scale
    return None


def _agree(told: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Refuse a record of another network than the tensors are."""
    for name in ("in_chans", "embed_dim", "depths", "scale", "lk_kernel", *PUBLISHED_NAMES):
        recorded: Any = config.get(PUBLISHED_NAMES.get(name, name), told[name])
        if isinstance(recorded, list):
            recorded = tuple(cast(list[Any], recorded))
        if recorded != told[name]:
            raise CheckpointError(
                f"arch_config says {name} {recorded}, but the tensors are those of {told[name]}"
            )
