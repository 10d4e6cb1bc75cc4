"""What an INT8 model computes, in PyTorch: the reference its verification is measured against."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .scales import OpScales


def quantized_weight(weight: Tensor, scales: OpScales) -> Tensor:
    """Return a weight as int8, its own shape. Lossless for a weight on its trained grid."""
    shape = [-1 if axis == scales.weight_axis else 1 for axis in range(weight.ndim)]
    return torch.round(weight / scales.weight_scale.view(shape)).clamp(-128, 127).to(torch.int8)


def simulate(network: nn.Module, scales: Sequence[OpScales], *, truncates: bool = False) -> nn.Module:
    """Return a copy of a `deployable` network, planned inputs and weights rounded to int8 and back.

    `truncates` drops the fraction of inputs instead, as ONNX Runtime 1.17.1 does (see `truncates_half`).
    """
    simulated = copy.deepcopy(network).requires_grad_(False)
    for entry in scales:
        module = simulated.get_submodule(entry.op.module)
        weight = simulated.get_parameter(f"{entry.op.module}.weight")
        shape = [-1 if axis == entry.weight_axis else 1 for axis in range(weight.ndim)]
        weight.copy_(quantized_weight(weight, entry) * entry.weight_scale.view(shape))
        module.register_forward_pre_hook(_rounding(entry.input_scale, truncates))
        if entry.output_scale is not None:
            module.register_forward_hook(_rounding_output(entry.output_scale))
    return simulated


def _rounding_output(scale: float) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
    def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return torch.fake_quantize_per_tensor_affine(output, scale, 0, -128, 127)

    return hook


def _rounding(scale: float, truncates: bool) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor]]:
    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
        if truncates:
            return ((inputs[0] / scale).trunc().clamp(-128, 127) * scale,)
        return (torch.fake_quantize_per_tensor_affine(inputs[0], scale, 0, -128, 127),)

    return hook
