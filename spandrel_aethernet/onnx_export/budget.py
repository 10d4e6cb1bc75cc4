"""Which operators are INT8 within a loss of quality, or for a gain in speed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from ..errors import ArgumentError, Hint, OnnxError
from ..onnx_model.budget_table import BudgetTable, Sensitivity
from ..progress import SILENT, Progress
from .calibration import CalibrationImages
from .crops import Loss, crops, outputs, qualities
from .scales import OpScales
from .sensitivity import Candidate, candidates
from .simulate import simulate

_SIDES = 32, 128
"""Of the crops that one operator is measured on, and all together, in input pixels."""
_TRIED_ALONE = 6
"""How many of those that come after the first one too many may still find room."""

Speedup = Callable[[Sequence[OpScales]], float]
"""Measures how many times as fast as in float a model with these operators in INT8 is."""


@dataclass(frozen=True)
class Budget:
    """What INT8 may cost, in dB of PSNR, and what it must bring, in times the speed; None for anything."""

    max_loss: float | None = None
    min_speedup: float | None = None

    def __post_init__(self) -> None:
        """Raise `ArgumentError` for what no number is, or can be kept by nothing."""
        for name, value, least in (("max_loss", self.max_loss, 0), ("min_speedup", self.min_speedup, 1)):
            if value is not None and not (math.isfinite(value) and value > least):
                raise ArgumentError(f"{name} is {value}: expected more than {least}")

    def __bool__(self) -> bool:
        """Whether anything was asked for."""
        return self != Budget()


def within(
    budget: Budget,
    network: nn.Module,
    scales: Sequence[OpScales],
    images: CalibrationImages,
    speedup: Speedup | None,
    *,
    scale: int,
    progress: Progress = SILENT,
) -> tuple[list[OpScales], BudgetTable]:
    """Return the operators of `scales` that a budget has room for, with their ranges, and the table of all.

    `network` is the deployed one in float32 and `scale` how much it enlarges. Each operator is measured
    alone, then as many are taken, the cheapest first, as together lose no more than `max_loss` on crops of
    the images (their mean, and its standard error, for the sake of other images), or, with `min_speedup`, as
    few as are that fast. Raises `OnnxError` if nothing is within the budget, and errors as `crops` does.
    """
    small, large = (crops(images, scale, side) for side in _SIDES)
    found = candidates(network, scales, small, progress=progress)
    in_float = qualities(outputs(network, large), large)
    progress.begin("budget", 2 * math.ceil(math.log2(len(found) + 1)) + _TRIED_ALONE)

    def loss(chosen: Sequence[Candidate]) -> Loss:
        progress.poll()
        made = outputs(simulate(network, _scales(chosen)), large)
        progress.advance()
        return Loss.between(in_float, qualities(made, large))

    def speed(chosen: Sequence[Candidate]) -> float:
        assert speedup is not None
        progress.poll()
        measured = speedup(_scales(chosen))
        progress.advance()
        return measured

    chosen = found if budget.max_loss is None else _cheap_enough(budget.max_loss, found, loss)
    if budget.min_speedup is not None:
        chosen = _fast_enough(budget.min_speedup, chosen, speed, loss)
    taken = {id(one) for one in chosen}
    rows = [_row(one, int8=id(one) in taken) for one in found]
    gained = None if speedup is None else speed(chosen)
    table = BudgetTable(budget.max_loss, budget.min_speedup, loss(chosen).mean, gained, rows)
    return _scales(chosen), table


def _cheap_enough(
    most: float, found: Sequence[Candidate], loss: Callable[[Sequence[Candidate]], Loss]
) -> Sequence[Candidate]:
    """Return as many as lose no more than `most` together, the cheapest first; `OnnxError` for none.

    What they lose is the mean over the images and its standard error.
    """

    def fits(chosen: Sequence[Candidate]) -> bool:
        lost = loss(chosen)
        return lost.mean + lost.error <= most  # for images that are not among these

    count = _last(lambda number: fits(found[:number]), len(found))
    chosen, left = list(found[:count]), found[count + 1 :]
    for candidate in left[:_TRIED_ALONE]:
        if fits([*chosen, candidate]):
            chosen.append(candidate)
    if not chosen:
        cheapest = min(found, key=lambda one: one.loss)
        raise OnnxError(
            f"nothing can be INT8 within a loss of {most} dB: the cheapest loses {cheapest.loss:.3f} dB",
            Hint("allow a greater {max_loss}"),
        )
    return chosen


def _fast_enough(
    wanted: float,
    chosen: Sequence[Candidate],
    speed: Callable[[Sequence[Candidate]], float],
    loss: Callable[[Sequence[Candidate]], Loss],
) -> Sequence[Candidate]:
    """Return as few, the cheapest first, as are as fast as wanted; `OnnxError` if not even all are."""
    fastest = speed(chosen)
    if fastest < wanted:
        raise OnnxError(
            f"INT8 is {fastest:.2f} times as fast as float here, at a loss of {loss(chosen).mean:.3f} dB: "
            f"expected {wanted} times",
            Hint("ask for a smaller {min_speedup} or allow a greater {max_loss}"),
        )
    return chosen[: 1 + _last(lambda number: speed(chosen[:number]) < wanted, len(chosen) - 1)]


def _last(holds: Callable[[int], bool], most: int) -> int:
    """Return the largest number from 0 to `most` up to which something holds; nothing is asked of 0."""
    if not most or holds(most):
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _scales(chosen: Sequence[Candidate]) -> list[OpScales]:
    return [entry for candidate in chosen for entry in candidate.scales]


def _row(candidate: Candidate, *, int8: bool) -> Sensitivity:
    names = [entry.op.module for entry in candidate.scales]
    return Sensitivity(names, int8, candidate.loss, candidate.noise, candidate.share, candidate.clip)
