"""The first generation (`layers.*` keys): blocks and network, in its fused and its not fused form.

Architecture by Philip Hofmann (MIT). Parameter names and arithmetic follow the published checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from spandrel.util import store_hyperparameters
from torch import Tensor, nn
from typing_extensions import override

from ..base import AetherBase, check_sizes
from ..large_kernel import LargeKernelConv, check_kernels, fuse_large_kernels
from ..strips import channels_last, computes_at_once, in_strips
from ..unfilled import unfilled

HEAD_WIDTH = 64
"""Channels between `conv_before_upsample` and `conv_last`, the same in every published file."""


@dataclass(frozen=True)
class Variant:
    """The hyper-parameters that a published name stands for."""

    embed_dim: int
    depths: tuple[int, ...]
    mlp_ratio: float
    lk_kernel: int
    sk_kernel: int


VARIANTS: Mapping[str, Variant] = {
    "aether_small": Variant(96, (4,) * 4, 2.0, 11, 3),
    "aether_medium": Variant(128, (6,) * 6, 2.0, 11, 3),
    "aether_large": Variant(180, (8,) * 8, 2.5, 13, 3),
}


class GatedFFN(nn.Module):
    """Gated feed-forward over the last axis; input and output ... x C."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1_gate = nn.Linear(dim, hidden)
        self.fc1_main = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return `fc2(gelu(fc1_gate(x)) * fc1_main(x))`, the input's shape kept."""
        gate, main = F.gelu(self.fc1_gate(x)), self.fc1_main(x)
        return self.fc2(gate.mul_(main) if computes_at_once(x) else gate * main)


class AetherBlock(nn.Module):
    """One residual block; input and output N x C x H x W."""

    strips = True
    """Whether a CPU may compute it in strips."""

    def __init__(self, dim: int, hidden: int, lk_kernel: int, sk_kernel: int, *, fused: bool) -> None:
        super().__init__()
        self.hidden = hidden
        self.conv = LargeKernelConv(dim, lk_kernel, sk_kernel, fused=fused)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.ffn = GatedFFN(dim, hidden)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        y = self.conv(x)
        if self.strips and computes_at_once(x):
            return in_strips(self._add, x, y, width=self.hidden)
        return self._add(x, y)

    def _add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + self.ffn(self.norm(y.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


def _upsampler(scale: int) -> nn.Sequential:
    factors = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
    steps: list[nn.Module] = []
    for factor in factors:
        steps += [nn.Conv2d(HEAD_WIDTH, HEAD_WIDTH * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
    return nn.Sequential(*steps)


@store_hyperparameters()
class AetherNet(AetherBase):
    """The whole network.

    Takes N x `in_chans` x H x W with values 0..1, any H and W from 1, in the dtype of its parameters
    (float32, float16 or bfloat16), and returns N x `in_chans` x H·`scale` x W·`scale` in that dtype, not
    clamped. `trained_ranges` holds the ranges from quantization-aware training and calibration, or None;
    it is part of the state_dict, always in float32.

        network = spandrel_aethernet.AetherNet(scale=4)
        upscaled = network(torch.rand(1, 3, 48, 64))  # 1 x 3 x 192 x 256
    """

    hyperparameters: dict[str, Any] = {}  # noqa: RUF012  (spandrel's decorator sets it on the instance)

    def __init__(
        self,
        *,
        in_chans: int = 3,
        embed_dim: int = 96,
        depths: Sequence[int] = (4, 4, 4, 4),
        mlp_ratio: float = 2.0,
        scale: int = 2,
        lk_kernel: int = 11,
        sk_kernel: int = 3,
        img_range: float = 1.0,
        fused: bool = False,
    ) -> None:
        """Build the network with fresh parameters.

        `in_chans`: 1 (grey), 3 (RGB), 4 (RGBA) or any other count, also of the output. `depths`: blocks per
        stage. `mlp_ratio`: hidden width is `int(embed_dim * mlp_ratio)`. `scale`: one of 1, 2, 3, 4, 8.
        `lk_kernel`, `sk_kernel`: odd, at most 31, the small one at most the large one; `sk_kernel` means
        nothing once fused. `img_range` scales the input after the mean is taken off; 1 in every published
        file, and no file can tell it. Raises `ArgumentError` for anything else.
        """
        super().__init__(in_chans=in_chans, scale=scale, img_range=img_range)
        hidden = int(embed_dim * mlp_ratio)
        sizes = {"embed_dim": embed_dim, "embed_dim * mlp_ratio": hidden}
        check_sizes(sizes | {"every depth": min(depths, default=0)})
        check_kernels(lk_kernel, lk_kernel if fused else sk_kernel)
        self.mean = 0.5 if in_chans == 3 else 0.0

        def block() -> AetherBlock:
            return AetherBlock(embed_dim, hidden, lk_kernel, sk_kernel, fused=fused)

        self.conv_first = nn.Conv2d(in_chans, embed_dim, 3, padding=1)
        self.layers = nn.Sequential(*(nn.Sequential(*(block() for _ in range(depth))) for depth in depths))
        self.norm = nn.LayerNorm(embed_dim, eps=1e-5)
        self.conv_after_body = nn.Conv2d(embed_dim, embed_dim, 3, padding=1)
        self.conv_before_upsample = nn.Sequential(
            nn.Conv2d(embed_dim, HEAD_WIDTH, 3, padding=1), nn.LeakyReLU(0.01)
        )
        self.upsample = _upsampler(scale)
        self.conv_last = nn.Conv2d(HEAD_WIDTH, in_chans, 3, padding=1)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Upscale one batch; shapes and ranges as the class says."""
        shallow = channels_last(self.conv_first((x - self.mean) * self.img_range))
        deep = self.layers(shallow).permute(0, 2, 3, 1)
        deep = self.conv_after_body(self.norm(deep).permute(0, 3, 1, 2)) + shallow
        y = self.conv_last(self.upsample(self.conv_before_upsample(deep)))
        return y / self.img_range + self.mean

    @property
    @override
    def receptive_radius(self) -> int:
        hp = self.hyperparameters
        body = 3 + sum(hp["depths"]) * (hp["lk_kernel"] // 2)
        doublings = [1 / 2**step for step in range(self.scale.bit_length() - 1)]
        upsampler = 1.0 if self.scale == 3 else sum(doublings)
        return body + math.ceil(upsampler + 1 / self.scale)

    @property
    @override
    def values_per_pixel(self) -> int:
        dim = self.conv_first.out_channels
        hidden = int(dim * self.hyperparameters["mlp_ratio"])
        return max(4 * dim + 3 * hidden, 3 * HEAD_WIDTH * self.scale**2)

    @override
    def arch_config(self) -> dict[str, Any]:
        """Return `img_range` where it is not that of every published file; else nothing."""
        return {} if self.img_range == 1 else {"img_range": self.img_range}

    @override
    def fuse(self) -> AetherNet:
        own = next(self.parameters())
        with unfilled():
            copy = AetherNet(**self.fused_form(self.hyperparameters)).to(own.device, own.dtype)
        copy.load_state_dict(fuse_large_kernels(self.state_dict()))
        return copy.train(self.training)
