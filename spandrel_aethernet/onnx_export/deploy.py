"""The network as it is deployed: fused, the two input products of each feed-forward merged into one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from ..network import AetherBlock, AetherNet, GatedFFN


class Product(nn.Module):
    """A Linear whose weight lies as (in, out), so that no Transpose stands between it and its MatMul."""

    def __init__(self, *linears: nn.Linear) -> None:
        """Merge Linears that take the same input; their outputs lie one after the other."""
        super().__init__()
        weight = torch.cat([linear.weight for linear in linears])
        self.weight = nn.Parameter(weight.detach().t().contiguous())
        self.bias = nn.Parameter(torch.cat([linear.bias for linear in linears]).detach())

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return `x @ weight + bias` for ... x in."""
        return torch.matmul(x, self.weight) + self.bias


class MergedFFN(nn.Module):
    """`GatedFFN` with `fc1_gate` and `fc1_main` as one product.

    Two products that share a quantised input run as integer kernels nowhere in ONNX Runtime; one does.
    """

    def __init__(self, ffn: GatedFFN) -> None:
        super().__init__()
        self.hidden = ffn.fc2.in_features
        self.fc1 = Product(ffn.fc1_gate, ffn.fc1_main)
        self.fc2 = Product(ffn.fc2)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape, ... x C."""
        gate, main = self.fc1(x).split(self.hidden, -1)
        return self.fc2(F.gelu(gate) * main)


def deployable(network: AetherNet) -> AetherNet:
    """Return a fused copy, in evaluation mode, that computes the same with merged products.

    Its state_dict is not a checkpoint: `layers.S.B.ffn` holds `fc1` (in, 2·hidden) and `fc2`
    (hidden, out) instead of the published Linears.
    """
    copy = network.fuse().eval()
    for block in copy.modules():
        if isinstance(block, AetherBlock):
            block.ffn = MergedFFN(block.ffn)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
    return copy
