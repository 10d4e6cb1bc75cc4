"""AetherNet: the blocks and the network, in its fused and its not fused form.

Architecture by Philip Hofmann (MIT). Parameter names and arithmetic follow the published checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from spandrel.util import store_hyperparameters
from torch import Tensor, nn
from typing_extensions import override

from ..errors import ArgumentError, check_choice
from .fuse import fuse_state_dict
from .ranges import PREFIX as RANGES_PREFIX
from .ranges import TrainedRanges, ranges_from_tensors, ranges_to_tensors

SCALES = (1, 2, 3, 4, 8)
MAX_KERNEL = 31
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
        return self.fc2(F.gelu(self.fc1_gate(x)) * self.fc1_main(x))


class AetherBlock(nn.Module):
    """One residual block; input and output N x C x H x W."""

    def __init__(self, dim: int, hidden: int, lk_kernel: int, sk_kernel: int, *, fused: bool) -> None:
        super().__init__()
        self.conv = LargeKernelConv(dim, lk_kernel, sk_kernel, fused=fused)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.ffn = GatedFFN(dim, hidden)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        y = self.conv(x).permute(0, 2, 3, 1)
        return x + self.ffn(self.norm(y)).permute(0, 3, 1, 2)


def _upsampler(scale: int) -> nn.Sequential:
    factors = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
    steps: list[nn.Module] = []
    for factor in factors:
        steps += [nn.Conv2d(HEAD_WIDTH, HEAD_WIDTH * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
    return nn.Sequential(*steps)


@store_hyperparameters()
class AetherNet(nn.Module):
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
        super().__init__()
        hidden = int(embed_dim * mlp_ratio)
        sizes = {"in_chans": in_chans, "embed_dim": embed_dim, "embed_dim * mlp_ratio": hidden}
        _check_sizes(sizes | {"every depth": min(depths, default=0)}, scale)
        _check_kernels(lk_kernel, lk_kernel if fused else sk_kernel)
        self.scale = scale
        self.in_chans = in_chans
        self.img_range = img_range
        self.mean = 0.5 if in_chans == 3 else 0.0
        self.trained_ranges: TrainedRanges | None = None

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
        shallow = self.conv_first((x - self.mean) * self.img_range)
        deep = self.layers(shallow).permute(0, 2, 3, 1)
        deep = self.conv_after_body(self.norm(deep).permute(0, 3, 1, 2)) + shallow
        y = self.conv_last(self.upsample(self.conv_before_upsample(deep)))
        return y / self.img_range + self.mean

    @property
    def receptive_radius(self) -> int:
        """Receptive-field radius: how many input pixels away a pixel can still change an output pixel."""
        hp = self.hyperparameters
        body = 3 + sum(hp["depths"]) * (hp["lk_kernel"] // 2)
        doublings = [1 / 2**step for step in range(self.scale.bit_length() - 1)]
        upsampler = 1.0 if self.scale == 3 else sum(doublings)
        return body + math.ceil(upsampler + 1 / self.scale)

    def fuse(self) -> AetherNet:
        """Return a fused copy on the same device and in the same dtype; this network stays as it is."""
        own = next(self.parameters())
        hyperparameters: dict[str, Any] = {**self.hyperparameters, "fused": True}
        copy = AetherNet(**hyperparameters).to(own.device, own.dtype)
        copy.load_state_dict(fuse_state_dict(self.state_dict()))
        return copy.train(self.training)

    # The ranges are not buffers because `model.half()`, which chaiNNer calls, would round them.
    @override
    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.trained_ranges is not None:
            for key, tensor in ranges_to_tensors(self.trained_ranges).items():
                destination[prefix + key] = tensor

    @override
    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        own = prefix + RANGES_PREFIX
        unexpected_keys[:] = [key for key in unexpected_keys if not key.startswith(own)]
        self.trained_ranges = ranges_from_tensors(
            {key.removeprefix(prefix): tensor for key, tensor in state_dict.items() if key.startswith(own)}
        )


def _check_sizes(sizes: Mapping[str, int], scale: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ArgumentError(f"{name} must be 1 or more, not {size}")
    check_choice("scale", scale, SCALES)


def _check_kernels(lk_kernel: int, sk_kernel: int) -> None:
    for name, kernel in (("lk_kernel", lk_kernel), ("sk_kernel", sk_kernel)):
        if kernel % 2 == 0 or not 1 <= kernel <= MAX_KERNEL:
            raise ArgumentError(f"{name} must be odd and at most {MAX_KERNEL}, not {kernel}")
    if sk_kernel > lk_kernel:
        raise ArgumentError(f"sk_kernel ({sk_kernel}) must not be larger than lk_kernel ({lk_kernel})")
