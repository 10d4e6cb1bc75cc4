"""What quantization-aware training and calibration found out about a network, in memory and in its files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError

PREFIX = "trained_ranges."
"""How the keys of ranges start in a state_dict; as entries of it they survive every tool that saves one."""
CALIBRATED_PREFIX = PREFIX + "calibrated_inputs."
_ACTIVATION = PREFIX + "activations."
_WEIGHT = PREFIX + "weight_scales."


@dataclass(frozen=True)
class ActivationRange:
    """The smallest and the largest value seen at one point of a network, in the units of that tensor.

    >>> ActivationRange(min=-0.5, max=0.5).max
    0.5
    """

    min: float
    max: float


@dataclass(frozen=True)
class TrainedRanges:
    """The ranges of one network: those from QAT, and those that a calibration added.

    The mappings are keyed by module path. A path names the module whose OUTPUT was observed
    (`quant` is the network's input after the mean is taken off; `conv_before_upsample.1` the
    LeakyReLU) or whose WEIGHT was trained on an int8 grid. The branches `lk_conv` and `sk_conv`
    keep their entries after fusing, as a record of the training.

    >>> TrainedRanges(activations={"quant": ActivationRange(-0.5, 0.5)}).activations["quant"].min
    -0.5
    """

    activations: Mapping[str, ActivationRange] = field(default_factory=dict[str, ActivationRange])
    weight_scales: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    """One int8 scale per output channel (symmetric, -128..127), only for weights that were fake-quantized."""
    calibrated_inputs: Mapping[str, float] = field(default_factory=dict[str, float])
    """The amax (largest absolute value) that a calibration saw at the INPUT of an operator, for operators
    without a range from QAT; keyed by the operator's module path."""

    def __bool__(self) -> bool:
        return bool(self.activations or self.weight_scales or self.calibrated_inputs)


def ranges_to_tensors(ranges: TrainedRanges) -> dict[str, Tensor]:
    """Return float32 tensors: (2) min, max of an activation, (C) scales of a weight, (1) amax of an input."""
    tensors = {
        _ACTIVATION + point: torch.tensor([span.min, span.max], dtype=torch.float32)
        for point, span in ranges.activations.items()
    }
    for module, scales in ranges.weight_scales.items():
        tensors[_WEIGHT + module] = torch.tensor(scales, dtype=torch.float32)
    for module, amax in ranges.calibrated_inputs.items():
        tensors[CALIBRATED_PREFIX + module] = torch.tensor([amax], dtype=torch.float32)
    return tensors


def floats(tensor: Tensor) -> list[float]:
    """Return all values of a tensor, which PyTorch's types do not know to be numbers."""
    flat: Any = tensor.flatten().double()
    return flat.tolist()


def ranges_from_tensors(tensors: Mapping[str, Tensor]) -> TrainedRanges | None:
    """Read what `ranges_to_tensors` wrote; keys outside its prefix are ignored, None if there are no others.

    Raises `CheckpointError` for a tensor under the prefix that holds no range.
    """
    activations: dict[str, ActivationRange] = {}
    weight_scales: dict[str, tuple[float, ...]] = {}
    calibrated: dict[str, float] = {}
    for key, tensor in tensors.items():
        if not key.startswith(PREFIX):
            continue
        values = floats(tensor)
        whole = all(map(math.isfinite, values))
        if key.startswith(_ACTIVATION) and whole and len(values) == 2 and values[0] <= values[1]:
            activations[key.removeprefix(_ACTIVATION)] = ActivationRange(*values)
        elif key.startswith(_WEIGHT) and whole and all(scale > 0 for scale in values):
            weight_scales[key.removeprefix(_WEIGHT)] = tuple(values)
        elif key.startswith(CALIBRATED_PREFIX) and whole and len(values) == 1 and values[0] >= 0:
            calibrated[key.removeprefix(CALIBRATED_PREFIX)] = values[0]
        else:
            raise CheckpointError(f"{key} is no trained range, but {values[:3]}: the checkpoint is damaged")
    return TrainedRanges(activations, weight_scales, calibrated) or None
