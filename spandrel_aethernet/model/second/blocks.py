"""The parts that the second generation is made of, each in the form it is found in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from ..large_kernel import LargeKernelConv
from ..strips import computes_at_once, in_strips
from .fuse import NORM_EPS

LEAST_HEAD = 32
"""The fewest channels that the upsampler works in."""


class DeploymentNorm(nn.Module):
    """Batch normalisation as it is deployed: a scale and a shift of each channel, N x C x H x W."""

    def __init__(self, dim: int, *, fused: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, dim, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, dim, 1, 1))
        self.fused = fused
        if not fused:
            self.register_buffer("running_mean", torch.zeros(1, dim, 1, 1))
            self.register_buffer("running_var", torch.ones(1, dim, 1, 1))

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        if self.fused:
            return x * self.weight + self.bias
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return (x - mean) / torch.sqrt(variance + NORM_EPS) * self.weight + self.bias


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels of N x C x H x W."""

    @override
    def forward(self, input: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GatedConvFFN(nn.Module):
    """Gated feed-forward by 1x1 convolutions; input and output N x C x H x W."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(1))
        self.conv_gate = nn.Conv2d(dim, hidden, 1)
        self.conv_main = nn.Conv2d(dim, hidden, 1)
        self.conv_out = nn.Conv2d(hidden, dim, 1)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return `conv_out(silu(temperature * conv_gate(x)) * conv_main(x))`, the input's shape kept."""
        gate, main = F.silu(self.temperature * self.conv_gate(x)), self.conv_main(x)
        return self.conv_out(gated(gate, main))


def gated(gate: Tensor, main: Tensor) -> Tensor:
    """Return the product, which the published network takes in float32 where its inputs are float16."""
    if gate.dtype is torch.float16:
        return (gate.float() * main.float()).to(torch.float16)
    return gate * main


class ChannelAttention(nn.Module):
    """Scales each channel by what the means of all channels over the whole input tell."""

    given_means: Callable[[Tensor], Tensor] | None = None
    """From N x C x H x W to the means to use, N x C x 1 x 1, where the input is a tile of an image."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        narrow = dim // 8
        self.fc = nn.Sequential(
            nn.Conv2d(dim, narrow, 1, bias=False), nn.ReLU(), nn.Conv2d(narrow, dim, 1, bias=False)
        )

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        means = self.given_means(x) if self.given_means else x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.fc(means))


class SpatialAttention(nn.Module):
    """Scales each pixel by what the largest and the mean channel around it tell."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        told = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.conv(told))


class Form:
    """In which form the blocks of a network are built."""

    def __init__(self, hyperparameters: Mapping[str, Any]) -> None:
        self.dim: int = hyperparameters["embed_dim"]
        self.hidden = int(self.dim * hyperparameters["mlp_ratio"])
        self.given = hyperparameters

    def norm(self) -> nn.Module:
        """Return a norm over `dim` channels."""
        if self.given["norm"] == "layernorm":
            return ChannelLayerNorm(self.dim, eps=1e-5)
        return DeploymentNorm(self.dim, fused=self.given["norm_fused"])

    def block(self) -> AetherBlock2:
        """Return a block."""
        return AetherBlock2(self)


class AetherBlock2(nn.Module):
    """One residual block; input and output N x C x H x W."""

    strips = True
    """Whether a CPU may compute its feed-forward in strips."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        given = form.given
        self.hidden = form.hidden
        self.conv = LargeKernelConv(form.dim, given["lk_kernel"], given["sk_kernel"], fused=given["fused"])
        self.norm = form.norm()
        self.ffn = GatedConvFFN(form.dim, form.hidden)
        self.channel_attn = ChannelAttention(form.dim) if given["channel_attn"] else nn.Identity()
        self.spatial_attn = SpatialAttention() if given["spatial_attn"] else nn.Identity()
        self.res_scale: float = given["res_scale"]

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        y = self.conv(x)
        if self.strips and computes_at_once(x):
            y = in_strips(self._feed_forward, y, width=self.hidden)
        else:
            y = self._feed_forward(y)
        y = self.spatial_attn(self.channel_attn(y))
        return x + (y if self.res_scale == 1 else self.res_scale * y)

    def _feed_forward(self, y: Tensor) -> Tensor:
        return self.ffn(self.norm(y))


class QuantFusion(nn.Module):
    """Joins what all stages gave; input and output N x C x H x W."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.error_comp = nn.Parameter(torch.zeros(1, dim, 1, 1))
        self.fusion_conv = nn.Conv2d(dim, dim, 1)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        return self.fusion_conv(x) + self.error_comp


class Upsampler(nn.Module):
    """From N x C x H x W to N x `head_width(C, scale)` x H·scale x W·scale."""

    def __init__(self, dim: int, scale: int) -> None:
        super().__init__()
        out = head_width(dim, scale)
        steps: list[nn.Module] = []
        if scale == 1:
            steps = [nn.Conv2d(dim, out, 3, padding=1)]
        factors = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
        for number, factor in enumerate(factors):
            width = out if number == len(factors) - 1 else dim // 2
            steps += [nn.Conv2d(dim, width * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
            dim = width
        self.blocks = nn.Sequential(*steps)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return the enlarged tensor."""
        return self.blocks(x)


def head_width(dim: int, scale: int) -> int:
    """Return how many channels `conv_last` takes."""
    return max(LEAST_HEAD, dim // max(1, scale // 2) // 2 * 2)


def fusion_widths(dim: int, stages: int) -> list[int]:
    """Return how many channels each stage gives to the fusion: together `dim`."""
    return [dim // stages + (number < dim % stages) for number in range(stages)]
