"""The observers that quantization-aware training (QAT) adds to a checkpoint, and what they mean.

Key names are those of torch.ao.quantization's observers and FakeQuantize modules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import CheckpointError
from .ranges import ActivationRange, TrainedRanges, floats

_WEIGHT = ".weight_fake_quant."
_ACTIVATION = ".activation_post_process."
_LOWEST, _HIGHEST = -128, 127
"""Of int8."""


def is_observer_key(key: str) -> bool:
    """Tell whether a key belongs to an observer rather than to the network."""
    return _WEIGHT in key or _ACTIVATION in key


def read_observers(state_dict: Mapping[str, Tensor]) -> TrainedRanges | None:
    """Collect the ranges and scales that observers hold; None if no observer ever saw a value.

    Activation ranges are the `min_val` / `max_val` of the deepest observer of a module (a FakeQuantize
    wraps its observer). Weight scales are those of weights whose FakeQuantize was switched on; weights
    that were only observed have no scale here, because they were trained on no grid. Raises
    `CheckpointError` for scales that do not fit their weight.
    """
    activations: dict[str, ActivationRange] = {}
    for key in sorted(state_dict, key=len):
        if key.endswith(_ACTIVATION + "min_val") and _WEIGHT not in key:
            span = _observed(state_dict[key], state_dict.get(key.removesuffix("min_val") + "max_val"))
            if span is not None:
                activations[key.partition(_ACTIVATION)[0]] = span
    weight_scales = {
        module: tuple(floats(_weight_scale(state_dict, module)))
        for module in sorted(
            key.partition(_WEIGHT)[0] for key in state_dict if key.endswith(_WEIGHT + "scale")
        )
        if _was_fake_quantized(state_dict, module)
    }
    return TrainedRanges(activations, weight_scales) or None


def put_on_trained_grid(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the entries with every fake-quantized weight rounded to the int8 grid it was trained on.

    The training's forward pass only ever saw the weights on that grid, so this is what the network
    computes. Rounded weights are float32; other entries are passed on as the same tensors. Raises
    `CheckpointError` for scales that do not fit their weight.
    """
    result = dict(state_dict)
    for key in state_dict:
        module = key.removesuffix(".weight")
        if module != key and _was_fake_quantized(state_dict, module):
            scale = _weight_scale(state_dict, module)
            zero_point = _zero_point(state_dict, module, len(scale))
            result[key] = torch.fake_quantize_per_channel_affine(
                state_dict[key].float(), scale, zero_point, 0, _LOWEST, _HIGHEST
            )
    return result


def _was_fake_quantized(state_dict: Mapping[str, Tensor], module: str) -> bool:
    """Tell whether a weight has a grid: switched on, and its observer, where there is one, saw the weight."""
    enabled = state_dict.get(module + _WEIGHT + "fake_quant_enabled")
    if enabled is None or not bool(enabled.any()) or module + _WEIGHT + "scale" not in state_dict:
        return False
    seen = state_dict.get(module + _WEIGHT + "activation_post_process.min_val")
    return seen is None or (seen.numel() > 0 and bool(torch.isfinite(seen).all()))


def _weight_scale(state_dict: Mapping[str, Tensor], module: str) -> Tensor:
    """Return the trained scale of every output channel, shape (C), float32.

    A tool that fuses may leave the observers of branches that are gone: then there are as many channels as
    scales.
    """
    key = module + _WEIGHT + "scale"
    scale, weight = state_dict[key].float(), state_dict.get(module + ".weight")
    channels = scale.numel() if weight is None else weight.shape[0]
    if scale.numel() not in (1, channels):
        raise CheckpointError(
            f"{key} has {scale.numel()} scales: expected one for each of the {channels} output channels"
        )
    if not bool(torch.isfinite(scale).all()) or bool((scale <= 0).any()):
        raise CheckpointError(f"{key} holds a scale that is not a positive number: the checkpoint is damaged")
    return scale.reshape(-1).expand(channels).contiguous()


def _zero_point(state_dict: Mapping[str, Tensor], module: str, channels: int) -> Tensor:
    """Return the zero point of every output channel, shape (C), int32; zeros where the file has none."""
    key = module + _WEIGHT + "zero_point"
    zero_point = state_dict.get(key)
    if zero_point is None:
        return torch.zeros(channels, dtype=torch.int32)
    if zero_point.numel() not in (1, channels):
        raise CheckpointError(
            f"{key} has {zero_point.numel()} values: expected one for each of the {channels} output channels"
        )
    if not bool(((zero_point >= _LOWEST) & (zero_point <= _HIGHEST)).all()):
        raise CheckpointError(f"{key} holds a value that no int8 is: the checkpoint is damaged")
    return zero_point.to(torch.int32).reshape(-1).expand(channels).contiguous()


def _observed(low: Tensor, high: Tensor | None) -> ActivationRange | None:
    """Return the range, or None for an observer that saw nothing (empty, or +inf and -inf)."""
    if high is None or low.numel() != 1 or high.numel() != 1:
        return None
    span = ActivationRange(float(low), float(high))
    return span if math.isfinite(span.min) and math.isfinite(span.max) and span.min <= span.max else None
