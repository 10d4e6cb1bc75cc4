"""The first generation as it is deployed: fused, weights laid out for MatMul, GELU as runtimes know it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from typing_extensions import override

from ..base import AetherBase
from ..operators import MatMul
from ..strips import computes_at_once
from .network import AetherBlock, AetherNet, GatedFFN


class DeployedFFN(nn.Module):
    """`GatedFFN` with `MatMul`s, `fc1_gate` and `fc1_main` apart or as one, `fc1`.

    Merged they share a quantized input with one kernel; apart there is no Split, which copies what it splits.
    Biases are added after it, where ONNX Runtime joins the gate's with its GELU.
    """

    def __init__(self, ffn: GatedFFN, *, merged: bool) -> None:
        super().__init__()
        if merged:
            self.fc1 = MatMul(ffn.fc1_gate, ffn.fc1_main)
        else:
            self.fc1_gate, self.fc1_main = MatMul(ffn.fc1_gate), MatMul(ffn.fc1_main)
        self.fc2 = MatMul(ffn.fc2)
        self.merged = merged
        self.hidden = ffn.fc2.in_features
        for name in ("fc1_gate", "fc1_main", "fc2"):
            bias = ffn.get_parameter(f"{name}.bias")
            self.register_parameter(f"{name}_bias", nn.Parameter(bias.detach().clone()))

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape, ... x C."""
        if self.merged:
            gate, main = self.fc1(x).split(self.hidden, -1)
        else:
            gate, main = self.fc1_gate(x), self.fc1_main(x)
        gate, main = gate + self.get_parameter("fc1_gate_bias"), main + self.get_parameter("fc1_main_bias")
        hidden = gelu(gate).mul_(main) if computes_at_once(x) else gelu(gate) * main
        return self.fc2(hidden) + self.get_parameter("fc2_bias")


class DeployedBlock(nn.Module):
    """`AetherBlock` that adds where channels are last, as its last product leaves them.

    ONNX Runtime then drops each Transpose: on a CPU they took 5 % of the time.
    """

    def __init__(self, block: AetherBlock) -> None:
        super().__init__()
        self.conv, self.norm, self.ffn = block.conv, block.norm, block.ffn

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape, N x C x H x W."""
        y = self.norm(self.conv(x).permute(0, 2, 3, 1))
        return (x.permute(0, 2, 3, 1) + self.ffn(y)).permute(0, 3, 1, 2)


def gelu(x: Tensor) -> Tensor:
    """Return the exact GELU, its factors in the one order that ONNX Runtime fuses at every opset.

    Left to the exporters, files below opset 20 get another order and run 1.2 times as long on a CPU.
    """
    if computes_at_once(x):  # the same, in one tensor
        return (x / math.sqrt(2)).erf_().add_(1).mul_(x).mul_(0.5)
    return x * (torch.erf(x / math.sqrt(2)) + 1) * 0.5


def deployed(network: AetherBase, *, merged: bool, for_cpu: bool = False) -> AetherBase:
    """Return a fused copy, in evaluation mode, that computes the same with `DeployedFFN`s.

    Its state_dict is not a checkpoint: `layers.S.B.ffn` holds `fc1` (in, 2·hidden), or, not merged or for a
    CPU, `fc1_gate` and `fc1_main` (in, hidden), and `fc2` (hidden, out) instead of the published Linears.
    """
    copy = network.fuse().eval()
    assert isinstance(copy, AetherNet)
    for blocks in copy.layers:
        assert isinstance(blocks, nn.Sequential)
        for place, block in enumerate(blocks):
            assert isinstance(block, AetherBlock)
            block.ffn = DeployedFFN(block.ffn, merged=merged and not for_cpu)  # pyright: ignore[reportAttributeAccessIssue]
            if for_cpu:
                blocks[place] = DeployedBlock(block)
    return copy
