"""Structural re-parameterisation: two depthwise branches into one, on tensors and on whole state_dicts."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

_LARGE_WEIGHT = ".conv.lk_conv.weight"


def fuse_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a new state_dict in the fused form; the one given is left as it is.

    `layers.S.B.conv.{lk_conv.weight, sk_conv.weight, lk_bias, sk_bias}` of shapes (d, 1, K, K),
    (d, 1, k, k), (d) and (d) become `layers.S.B.conv.fused_conv.{weight, bias}` of shapes
    (d, 1, K, K) and (d). Sums are taken in float32 at least, results keep the large kernel's dtype.
    Every other entry is passed on as the same tensor. A fused state_dict comes back equal. Raises
    KeyError where a block lacks one of the four.
    """
    fused: dict[str, Tensor] = {}
    for key, tensor in state_dict.items():
        if key.endswith(_LARGE_WEIGHT):
            conv = key.removesuffix("lk_conv.weight")
            fused[conv + "fused_conv.weight"] = _add_kernels(tensor, state_dict[conv + "sk_conv.weight"])
            bias = state_dict[conv + "lk_bias"]
            fused[conv + "fused_conv.bias"] = _add(bias, state_dict[conv + "sk_bias"])
        elif not key.endswith((".conv.sk_conv.weight", ".conv.lk_bias", ".conv.sk_bias")):
            fused[key] = tensor
    return fused


def _add_kernels(large: Tensor, small: Tensor) -> Tensor:
    pad = (large.shape[-1] - small.shape[-1]) // 2
    return _add(large, F.pad(small, [pad, pad, pad, pad]))


def _add(first: Tensor, second: Tensor) -> Tensor:
    wide = torch.promote_types(first.dtype, torch.float32)
    return (first.to(wide) + second.to(wide)).to(first.dtype)
