"""The first generation as it is deployed: fused, weights laid out for MatMul, GELU as runtimes know it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from typing_extensions import override

from ..base import AetherBase
from ..operators import MatMul
from .network import AetherBlock, GatedFFN


class DeployedFFN(nn.Module):
    """`GatedFFN` with `MatMul`s, `fc1_gate` and `fc1_main` apart or as one, `fc1`.

    Two products that share a quantized input run as integer kernels nowhere in ONNX Runtime; one does.
    In float they run faster apart: a Split copies what it splits. Biases are added after it, where ONNX
    Runtime joins the gate's with its GELU.
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
        return self.fc2(gelu(gate) * main) + self.get_parameter("fc2_bias")


def gelu(x: Tensor) -> Tensor:
    """Return the exact GELU, its factors in the one order that ONNX Runtime fuses at every opset.

    Left to the exporters, files below opset 20 get another order and run 1.2 times as long on a CPU.
    """
    return x * (torch.erf(x / math.sqrt(2)) + 1) * 0.5


def deployed(network: AetherBase, *, merged: bool) -> AetherBase:
    """Return a fused copy, in evaluation mode, that computes the same with `DeployedFFN`s.

    Its state_dict is not a checkpoint: `layers.S.B.ffn` holds `fc1` (in, 2·hidden), or `fc1_gate` and
    `fc1_main` (in, hidden), and `fc2` (hidden, out) instead of the published Linears.
    """
    copy = network.fuse().eval()
    for block in copy.modules():
        if isinstance(block, AetherBlock):
            block.ffn = DeployedFFN(block.ffn, merged=merged)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
    return copy
