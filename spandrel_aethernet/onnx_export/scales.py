"""Scales for every quantized operator: from QAT where it left a range, else calibrated on images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..model.operators import MatMul, QuantizedOp
from ..model.ranges import TrainedRanges
from ..onnx_model.metadata import CALIBRATED, FROM_QAT
from ..progress import SILENT, Progress
from .calibration import CalibrationImages, measure_amax

_LARGEST = 127
"""The int8 value that amax becomes, in a symmetric scale."""


@dataclass(frozen=True)
class OpScales:
    """The int8 scales of one operator."""

    op: QuantizedOp
    input_scale: float
    input_source: str
    """`FROM_QAT` or `CALIBRATED`."""
    weight_scale: Tensor
    """One scale per output channel, shape (C), float32."""
    weight_axis: int
    """The axis of the weight that holds output channels: 0 for a Conv, 1 for a MatMul laid out (in, out)."""
    output_scale: float | None = None
    """Of an output that is int8, too."""

    def as_stored(self, dtype: torch.dtype) -> OpScales:
        """Return the scales as a model holds them whose float type is `dtype`: rounded, but never to 0."""
        least = torch.finfo(dtype).smallest_normal
        found = torch.cat([torch.tensor([self.input_scale]), self.weight_scale])
        stored = found.clamp_min(least).to(dtype).float()
        output = self.output_scale and float(torch.tensor(self.output_scale).to(dtype).clamp_min(least))
        return replace(self, input_scale=float(stored[0]), weight_scale=stored[1:], output_scale=output)


def find_scales(
    network: nn.Module,
    ops: Sequence[QuantizedOp],
    ranges: TrainedRanges | None,
    images: CalibrationImages,
    *,
    progress: Progress = SILENT,
) -> list[OpScales]:
    """Return the scales of `ops`, which name modules of `network` (a deployed one, float32).

    A range from QAT wins, then one of an earlier calibration. For the rest, the images run through the
    network and the amax of each input is taken; none is decoded if nothing is left to measure. Raises
    `ImageError` for one that cannot be read.
    """
    calibrated = dict(ranges.calibrated_inputs) if ranges else {}
    unknown = {
        op.point: op.module for op in ops if op.qat_amax(ranges) is None and op.point not in calibrated
    }
    if unknown:
        measured = measure_amax(network, list(unknown.values()), images, progress=progress)
        calibrated |= {point: measured[module] for point, module in unknown.items()}
    scales: list[OpScales] = []
    for op in ops:
        known = op.qat_amax(ranges)
        amax = calibrated[op.point] if known is None else known
        axis = 1 if isinstance(network.get_submodule(op.module), MatMul) else 0
        weight = network.get_parameter(f"{op.module}.weight").detach()
        scales.append(
            OpScales(
                op,
                (amax or 1.0) / _LARGEST,
                CALIBRATED if known is None else FROM_QAT,
                _weight_scale(weight, axis, op, ranges),
                axis,
            )
        )
    return scales


def _weight_scale(weight: Tensor, axis: int, op: QuantizedOp, ranges: TrainedRanges | None) -> Tensor:
    if ranges and op.on_grid(ranges):
        return torch.tensor([scale for module in op.qat_weights for scale in ranges.weight_scales[module]])
    others = [dim for dim in range(weight.ndim) if dim != axis]
    scale = weight.abs().amax(dim=others) / _LARGEST
    return torch.where(scale > 0, scale, torch.ones_like(scale))
