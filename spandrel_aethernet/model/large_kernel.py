"""Large depthwise kernels, trained as two branches and fused into one: the module, and state_dicts of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from ..errors import ArgumentError

MAX_KERNEL = 31
_LARGE_WEIGHT = ".conv.lk_conv.weight"


class LargeKernelConv(nn.Module):
    """Depthwise convolution with a large kernel; input and output N x C x H x W.

    Not fused it is the sum of a large and a small branch, each with its own bias. Fused it is one
    convolution.
    """

    def __init__(self, dim: int, lk_kernel: int, sk_kernel: int, *, fused: bool) -> None:
        super().__init__()
        self.fused = fused

        def depthwise(kernel: int, *, bias: bool) -> nn.Conv2d:
            return nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim, bias=bias)

        if fused:
            self.fused_conv = depthwise(lk_kernel, bias=True)
        else:
            self.lk_bias = nn.Parameter(torch.zeros(dim))
            self.sk_bias = nn.Parameter(torch.zeros(dim))
            self.lk_conv = depthwise(lk_kernel, bias=False)
            self.sk_conv = depthwise(sk_kernel, bias=False)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        if self.fused:
            return self.fused_conv(x)
        large = self.lk_conv(x) + self.lk_bias.view(1, -1, 1, 1)
        small = self.sk_conv(x) + self.sk_bias.view(1, -1, 1, 1)
        return large + small


def fuse_large_kernels(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a new state_dict in the fused form; the one given is left as it is.

    `BLOCK.conv.{lk_conv.weight, sk_conv.weight, lk_bias, sk_bias}` of shapes (d, 1, K, K),
    (d, 1, k, k), (d) and (d) become `BLOCK.conv.fused_conv.{weight, bias}` of shapes (d, 1, K, K) and (d).
    Sums are taken in float32 at least, results keep the large kernel's dtype.
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


def check_kernels(lk_kernel: int, sk_kernel: int) -> None:
    """Raise `ArgumentError` unless both are odd and at most `MAX_KERNEL`, and the small one is no larger."""
    for name, kernel in (("lk_kernel", lk_kernel), ("sk_kernel", sk_kernel)):
        if kernel % 2 == 0 or not 1 <= kernel <= MAX_KERNEL:
            raise ArgumentError(f"{name} must be odd and at most {MAX_KERNEL}, not {kernel}")
    if sk_kernel > lk_kernel:
        raise ArgumentError(f"sk_kernel ({sk_kernel}) must not be larger than lk_kernel ({lk_kernel})")
