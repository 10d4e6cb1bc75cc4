"""The second generation as it is deployed: all that can be folded exactly into a convolution is.

A block is one depthwise convolution, one 1x1 convolution, the gate's product, one 1x1 convolution, attention
where there is any, and a sum.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from ..base import AetherBase
from .blocks import AetherBlock2, DeploymentNorm, GatedConvFFN, gated
from .network import AetherNet2


class DeployedFFN(nn.Module):
    """`GatedConvFFN` with the temperature in its weights, its two first convolutions apart or as one."""

    def __init__(self, ffn: GatedConvFFN, *, merged: bool, res_scale: float) -> None:
        super().__init__()
        _scale_output(ffn.conv_gate, ffn.temperature)
        _scale_output(ffn.conv_out, torch.tensor(res_scale))
        self.merged = merged
        self.hidden = ffn.conv_out.in_channels
        if merged:
            self.conv_gate_main = _joined(ffn.conv_gate, ffn.conv_main)
        else:
            self.conv_gate, self.conv_main = ffn.conv_gate, ffn.conv_main
        self.conv_out = ffn.conv_out

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape, N x C x H x W."""
        if self.merged:
            gate, main = self.conv_gate_main(x).split(self.hidden, 1)
        else:
            gate, main = self.conv_gate(x), self.conv_main(x)
        return self.conv_out(gated(F.silu(gate), main))


@torch.no_grad()
def deployed(network: AetherBase, *, merged: bool, for_cpu: bool = False) -> AetherBase:  # noqa: ARG001
    """Return a fused copy, in evaluation mode, that computes the same with everything folded.

    Its state_dict is not a checkpoint: `norm`s, `temperature` and `error_comp` are gone, `ffn` holds
    `conv_gate_main` or `conv_gate` and `conv_main`.
    """
    copy = network.fuse().eval()
    assert isinstance(copy, AetherNet2)
    for block in copy.modules():
        if isinstance(block, AetherBlock2):
            _fold_block(block, merged=merged)
    fusion = copy.quant_fusion_layer
    if fusion.fusion_conv.bias is not None:
        fusion.fusion_conv.bias.add_(fusion.error_comp.flatten())
    copy.quant_fusion_layer = _Fusion(fusion.fusion_conv)  # pyright: ignore[reportAttributeAccessIssue]
    copy.norm = _folded(copy.norm, fusion.fusion_conv)
    return copy


class _Fusion(nn.Module):
    """`QuantFusion` without what is in its bias by now."""

    def __init__(self, fusion_conv: nn.Conv2d) -> None:
        super().__init__()
        self.fusion_conv = fusion_conv

    @override
    def forward(self, x: Tensor) -> Tensor:
        return self.fusion_conv(x)


def _fold_block(block: AetherBlock2, *, merged: bool) -> None:
    block.norm = _folded(block.norm, block.conv.fused_conv)
    attention = block.channel_attn, block.spatial_attn
    foldable = all(isinstance(module, nn.Identity) for module in attention)
    inside = block.res_scale if foldable else 1.0
    block.ffn = DeployedFFN(block.ffn, merged=merged, res_scale=inside)  # pyright: ignore[reportAttributeAccessIssue]
    block.res_scale = 1.0 if foldable else block.res_scale


def _folded(norm: nn.Module, convolution: nn.Conv2d) -> nn.Module:
    """Fold a norm into the convolution before it and return what is left of it."""
    if not isinstance(norm, DeploymentNorm):
        return norm
    _scale_output(convolution, norm.weight.flatten())
    assert convolution.bias is not None
    convolution.bias.add_(norm.bias.flatten())
    return nn.Identity()


def _scale_output(convolution: nn.Conv2d, scale: Tensor) -> None:
    """Multiply each output channel, or all of them."""
    assert convolution.bias is not None
    convolution.weight.mul_(scale.reshape(-1, 1, 1, 1))
    convolution.bias.mul_(scale.reshape(-1))


def _joined(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """Return one 1x1 convolution with the outputs of both, one after the other."""
    joined = nn.Conv2d(first.in_channels, first.out_channels + second.out_channels, 1)
    assert joined.bias is not None
    assert first.bias is not None
    assert second.bias is not None
    joined.weight.copy_(torch.cat([first.weight, second.weight]))
    joined.bias.copy_(torch.cat([first.bias, second.bias]))
    return joined.to(first.weight.device, first.weight.dtype)
