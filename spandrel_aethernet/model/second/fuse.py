"""Fusing the second generation: two branches into one kernel, statistics of norms into scale and shift."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..large_kernel import fuse_large_kernels

NORM_EPS = 1e-4
"""Of a deployment norm that still has its statistics."""
_MEAN, _VARIANCE = ".running_mean", ".running_var"


def fuse_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a new state_dict in the fused form; the one given is left as it is.

    Large kernels as `fuse_large_kernels` says. A norm's `weight`, `bias`, `running_mean` and `running_var` of
    shape (1, d, 1, 1) become `weight` and `bias`; computed in float32 at least, results keep the dtype. Every
    other entry is passed on as the same tensor. Raises KeyError where one of them is missing.
    """
    fused = fuse_large_kernels(state_dict)
    norms = [key.removesuffix(_VARIANCE) for key in fused if key.endswith(_VARIANCE)]
    for norm in norms:
        weight, bias, mean, variance = (
            fused.pop(norm + end) for end in (".weight", ".bias", _MEAN, _VARIANCE)
        )
        wide = torch.promote_types(weight.dtype, torch.float32)
        scale = weight.to(wide) / torch.sqrt(variance.to(wide) + NORM_EPS)
        fused[norm + ".weight"] = scale.to(weight.dtype)
        fused[norm + ".bias"] = (bias.to(wide) - mean.to(wide) * scale).to(bias.dtype)
    return fused
