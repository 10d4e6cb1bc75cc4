"""Which operators of a network are INT8, with which scales: by a preset, or within a budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx
import torch

from ..errors import ArgumentError, Hint
from ..model.base import AetherBase
from ..model.generations import planned
from ..model.ranges import TrainedRanges
from ..onnx_model.budget_table import BudgetTable
from ..precision import Precision
from ..progress import SILENT, Progress
from ..shapes import Profile
from .budget import Budget, within
from .calibration import CalibrationImages
from .qdq import insert_qdq
from .scales import OpScales, find_scales
from .speed import speedup


def check_budget(budget: Budget, precision: Precision, preset: str, scale: int | None = None) -> None:
    """Raise `ArgumentError` for a budget that means nothing for a model."""
    if not budget:
        return
    if not precision.int8:
        raise ArgumentError(f"a budget is for INT8, and {precision} has none: choose fp32-int8 or fp16-int8")
    if budget.min_speedup is not None and preset != "onnxruntime":
        raise ArgumentError(
            f"speed is measured in ONNX Runtime, and preset {preset} is not for it: choose onnxruntime",
            Hint("leave {min_speedup} out"),
        )
    if scale == 1:
        raise ArgumentError("a loss cannot be told of a network that enlarges nothing: leave the budget out")


def plan_int8(
    network: AetherBase,
    runnable: AetherBase,
    ranges: TrainedRanges | None,
    images: CalibrationImages,
    budget: Budget,
    *,
    precision: Precision,
    preset: str,
    profile: Profile,
    graphs: Callable[[], tuple[onnx.ModelProto, onnx.ModelProto]],
    progress: Progress = SILENT,
) -> tuple[Sequence[OpScales], BudgetTable | None]:
    """Return the scales of all operators that are INT8, as a model stores them, and what a budget chose.

    `runnable` is the deployed network in float32; `graphs` gives what it is exported as, and the model that
    speed is measured against. Raises errors as `find_scales` and `within` do.
    """
    ops = planned(network, preset, ranges, budget=bool(budget))
    exact = find_scales(runnable, ops, ranges, images, progress=progress)
    dtype = torch.float16 if precision.float_type == "fp16" else torch.float32
    scales = [entry.as_stored(dtype) for entry in exact]
    if not budget:
        return scales, None

    def measured(chosen: Sequence[OpScales]) -> float:
        model, reference = graphs()
        return speedup(insert_qdq(model, chosen), reference, profile, network.in_chans)

    speed = measured if preset == "onnxruntime" else None
    chosen, table = within(budget, runnable, scales, images, speed, scale=network.scale, progress=progress)
    return [entry.as_stored(dtype) for entry in chosen], table
