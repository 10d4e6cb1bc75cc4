"""The second generation (`stages.*` keys): its variants and its network.

Architecture by Philip Hofmann (MIT). Parameter names and arithmetic follow the published network, version
3.1.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from spandrel.util import store_hyperparameters
from torch import Tensor, nn
from typing_extensions import override

from ...errors import ArgumentError, check_choice
from ..base import AetherBase, check_sizes
from ..large_kernel import check_kernels
from ..strips import channels_last
from ..unfilled import unfilled
from .blocks import Form, QuantFusion, Upsampler, fusion_widths, head_width
from .fuse import fuse_state_dict

Norm = Literal["deployment", "layernorm"]
NORMS: tuple[Norm, ...] = ("deployment", "layernorm")
MEAN = 0.5
PUBLISHED_NAMES = {
    "norm": "norm_type",
    "channel_attn": "use_channel_attn",
    "spatial_attn": "use_spatial_attn",
}
"""How the published network calls arguments that have another name here."""


@dataclass(frozen=True)
class Variant:
    """The hyper-parameters that a published name stands for."""

    embed_dim: int
    depths: tuple[int, ...]
    mlp_ratio: float
    lk_kernel: int
    sk_kernel: int
    channel_attn: bool = True
    spatial_attn: bool = False
    res_scale: float = 0.1


VARIANTS: Mapping[str, Variant] = {
    "aether_mobile": Variant(64, (2,) * 4, 1.5, 7, 3, channel_attn=False, res_scale=0.2),
    "aether_tiny": Variant(64, (3,) * 3, 1.5, 13, 5, res_scale=0.2),
    "aether_small": Variant(96, (4,) * 4, 1.5, 13, 5),
    "aether_medium": Variant(128, (6,) * 4, 1.5, 13, 5),
    "aether_large": Variant(180, (8,) * 5, 1.5, 13, 5, spatial_attn=True),
    "aether_pro": Variant(192, (8,) * 5, 1.75, 15, 5, spatial_attn=True),
    "aether_extreme": Variant(256, (12,) * 5, 2.0, 21, 5, spatial_attn=True),
}


@store_hyperparameters()
class AetherNet2(AetherBase):
    """The whole network of the second generation.

    Takes N x `in_chans` x H x W with values 0..1, any H and W from 1, in the dtype of its parameters
    (float32, float16 or bfloat16), and returns N x `in_chans` x H·`scale` x W·`scale` in that dtype, not
    clamped. With `channel_attn` every output pixel depends on the whole input. `trained_ranges` as in
    `AetherNet`.

        network = spandrel_aethernet.AetherNet2(scale=4)
        upscaled = network(torch.rand(1, 3, 48, 64))  # 1 x 3 x 192 x 256
    """

    hyperparameters: dict[str, Any] = {}  # noqa: RUF012  (spandrel's decorator sets it on the instance)

    def __init__(
        self,
        *,
        in_chans: int = 3,
        embed_dim: int = 96,
        depths: Sequence[int] = (4, 4, 4, 4),
        mlp_ratio: float = 1.5,
        scale: int = 2,
        lk_kernel: int = 13,
        sk_kernel: int = 5,
        norm: Norm = "deployment",
        channel_attn: bool = True,
        spatial_attn: bool = False,
        res_scale: float = 0.1,
        img_range: float = 1.0,
        fused: bool = False,
        norm_fused: bool = False,
    ) -> None:
        """Build the network with fresh parameters.

        Sizes and kernels as in `AetherNet`. `fused` tells the form of the large kernels, `norm_fused` that of
        deployment norms; a layer norm has one form only. `res_scale` multiplies what a block adds; tiny and
        mobile have 0.2, and no tensor tells it. Raises `ArgumentError` for values that no network has.
        """
        super().__init__(in_chans=in_chans, scale=scale, img_range=img_range)
        form = Form(
            {
                "embed_dim": embed_dim,
                "mlp_ratio": mlp_ratio,
                "lk_kernel": lk_kernel,
                "sk_kernel": sk_kernel,
                "norm": norm,
                "norm_fused": norm_fused,
                "fused": fused,
                "channel_attn": channel_attn,
                "spatial_attn": spatial_attn,
                "res_scale": res_scale,
            }
        )
        check_choice("norm", norm, NORMS)
        check_kernels(lk_kernel, lk_kernel if fused else sk_kernel)
        sizes = {"embed_dim": embed_dim, "embed_dim * mlp_ratio": form.hidden}
        check_sizes(sizes | {"every depth": min(depths, default=0)})
        if embed_dim < max(len(depths), 8 if channel_attn else 1):
            raise ArgumentError(f"embed_dim is {embed_dim}: expected 8 or more, and one for each stage")
        self.register_buffer("scale_tensor", torch.tensor(scale))
        self.register_buffer("mean", torch.full((1, in_chans, 1, 1), MEAN))

        self.conv_first = nn.Conv2d(in_chans, embed_dim, 3, padding=1)
        self.stages = nn.ModuleList(nn.Sequential(*(form.block() for _ in range(depth))) for depth in depths)
        widths = fusion_widths(embed_dim, len(depths))
        self.fusion_convs = nn.ModuleList(nn.Conv2d(embed_dim, width, 1) for width in widths)
        self.quant_fusion_layer = QuantFusion(embed_dim)
        self.norm = form.norm()
        self.conv_after_body = nn.Conv2d(embed_dim, embed_dim, 3, padding=1)
        self.conv_before_upsample = nn.Sequential(
            nn.Conv2d(embed_dim, embed_dim, 3, padding=1), nn.LeakyReLU(0.01)
        )
        self.upsample = Upsampler(embed_dim, scale)
        self.conv_last = nn.Conv2d(head_width(embed_dim, scale), in_chans, 3, padding=1)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Upscale one batch; shapes and ranges as the class says."""
        mean = self.get_buffer("mean")
        centred = (x if self.img_range == 1 else x / self.img_range) - mean
        y = shallow = channels_last(self.conv_first(centred))
        parts: list[Tensor] = []
        for stage, narrow in zip(self.stages, self.fusion_convs, strict=True):
            y = stage(y)
            parts.append(narrow(y))
        deep = self.norm(self.quant_fusion_layer(torch.cat(parts, 1))) + shallow
        deep = self.conv_after_body(deep) + deep
        y = self.conv_last(self.upsample(self.conv_before_upsample(deep)))
        return y + mean if self.img_range == 1 else (y + mean) * self.img_range

    @property
    @override
    def receptive_radius(self) -> int | None:
        """None with channel attention, whose reach is the whole input; else as in `AetherNet`."""
        hp = self.hyperparameters
        if hp["channel_attn"]:
            return None
        block = hp["lk_kernel"] // 2 + (3 if hp["spatial_attn"] else 0)
        head = sum(1 / 2**step for step in range(self.scale.bit_length() - 1)) if self.scale != 3 else 1
        return 3 + sum(hp["depths"]) * block + math.ceil(max(head, 1) + 1 / self.scale)

    @property
    @override
    def values_per_pixel(self) -> int:
        dim = self.conv_first.out_channels
        hidden = int(dim * self.hyperparameters["mlp_ratio"])
        return max(5 * dim + 3 * hidden, 3 * self.conv_last.in_channels * self.scale**2)

    @override
    def arch_config(self) -> dict[str, Any]:
        """Return the arguments of the published network, under its names."""
        given = {PUBLISHED_NAMES.get(name, name): value for name, value in self.hyperparameters.items()}
        forms = {"fused", "norm_fused"}
        return {name: value for name, value in given.items() if name not in forms} | {
            "depths": list(self.hyperparameters["depths"])
        }

    @classmethod
    @override
    def fused_form(cls, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        return {**hyperparameters, "fused": True, "norm_fused": hyperparameters["norm"] == "deployment"}

    @override
    def fuse(self) -> AetherNet2:
        """Return a copy with fused convolutions and norms, on the same device and in the same dtype."""
        own = next(self.parameters())
        with unfilled():
            copy = AetherNet2(**self.fused_form(self.hyperparameters)).to(own.device, own.dtype)
        copy.load_state_dict(fuse_state_dict(cast(dict[str, Tensor], self.state_dict())))
        return copy.train(self.training)
