"""Quantisation ranges as state_dict entries, so that they survive every tool that saves a state_dict."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import CheckpointError
from .ranges import ActivationRange, TrainedRanges

PREFIX = "trained_ranges."
_ACTIVATION = PREFIX + "activations."
_WEIGHT = PREFIX + "weight_scales."
CALIBRATED_PREFIX = PREFIX + "calibrated_inputs."


def ranges_to_tensors(ranges: TrainedRanges) -> dict[str, Tensor]:
    """Return float32 tensors: (2) minimum and maximum of an activation, (C) scales of a weight, (1) input."""
    tensors = {
        _ACTIVATION + point: torch.tensor([span.minimum, span.maximum], dtype=torch.float32)
        for point, span in ranges.activations.items()
    }
    for module, scales in ranges.weight_scales.items():
        tensors[_WEIGHT + module] = torch.tensor(scales, dtype=torch.float32)
    for module, largest in ranges.calibrated_inputs.items():
        tensors[CALIBRATED_PREFIX + module] = torch.tensor([largest], dtype=torch.float32)
    return tensors


def ranges_from_tensors(tensors: Mapping[str, Tensor]) -> TrainedRanges | None:
    """Read what `ranges_to_tensors` wrote; keys outside its prefix are ignored, None if there are none.

    Raises `CheckpointError` for an entry that is none.
    """
    activations: dict[str, ActivationRange] = {}
    weight_scales: dict[str, tuple[float, ...]] = {}
    calibrated: dict[str, float] = {}
    for key, tensor in tensors.items():
        if not key.startswith(PREFIX):
            continue
        values = [float(value) for value in tensor.flatten()]
        whole = all(map(math.isfinite, values))
        if key.startswith(_ACTIVATION) and whole and len(values) == 2 and values[0] <= values[1]:
            activations[key.removeprefix(_ACTIVATION)] = ActivationRange(*values)
        elif key.startswith(_WEIGHT) and whole and all(step > 0 for step in values):
            weight_scales[key.removeprefix(_WEIGHT)] = tuple(values)
        elif key.startswith(CALIBRATED_PREFIX) and whole and len(values) == 1 and values[0] >= 0:
            calibrated[key.removeprefix(CALIBRATED_PREFIX)] = values[0]
        else:
            raise CheckpointError(f"{key} is no trained range, but {values[:3]}: the checkpoint is damaged")
    return TrainedRanges(activations, weight_scales, calibrated) or None
