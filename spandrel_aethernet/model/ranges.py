"""Quantisation ranges as plain data: no torch, no ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ActivationRange:
    """The smallest and largest value an observer saw at one point, in the units of that tensor."""

    minimum: float
    maximum: float


@dataclass(frozen=True)
class TrainedRanges:
    """What quantisation-aware training left behind for one network, and what calibration added.

    The mappings are keyed by module path. A path names the module whose OUTPUT was observed
    (`quant` is the network's input after the mean is taken off; `conv_before_upsample.1` the
    LeakyReLU) or whose WEIGHT was trained on an int8 grid. The branches `lk_conv` and `sk_conv`
    keep their entries after fusing, as a record of the training.
    """

    activations: Mapping[str, ActivationRange] = field(default_factory=dict[str, ActivationRange])
    weight_scales: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    """One int8 step per output channel (symmetric, -128..127), only for weights that were fake-quantised."""
    calibrated_inputs: Mapping[str, float] = field(default_factory=dict[str, float])
    """The largest magnitude that a calibration saw at the INPUT of an operator, for those that training left
    open; keyed as `QuantisedOp.module` is."""

    def __bool__(self) -> bool:
        return bool(self.activations or self.weight_scales or self.calibrated_inputs)
