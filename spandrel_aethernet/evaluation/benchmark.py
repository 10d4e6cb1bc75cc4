"""Forward passes of several contestants, side by side in one run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..progress import SILENT, Progress
from .runner import Prepared

Ask = Callable[..., Any]
"""Calls a method of a `Runner` or a `Matrix`, wherever it is: its name, then the arguments."""
Size = tuple[int, int]
"""Width and height in pixels."""
_ENOUGH_SECONDS = 10.0
"""That a contestant may take for a size, after which it has no more turns than it must have."""
_LEAST_PASSES = 3


@dataclass(frozen=True)
class Passes:
    """One contestant's passes over images of one size."""

    prepared: Prepared
    seconds: Sequence[float]
    """Of each pass, in order."""
    peak: int | None
    """Bytes; see `Runner.peak`."""

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Seconds that a quarter of the passes stays below, and three quarters."""
        low, high = np.quantile(self.seconds, (0.25, 0.75))
        return float(low), float(high)


@dataclass(frozen=True)
class SizeResult:
    """All contestants on images of one size."""

    size: Size
    passes: Sequence[Passes]
    matrix: Sequence[float]
    """Multiply-adds a second of a large product of matrices, between the passes."""

    @property
    def pixels(self) -> int:
        """Of the image that goes in."""
        return math.prod(self.size)

    @property
    def ratios(self) -> list[float]:
        """How many times as fast as the first each contestant is."""
        return [self.passes[0].median / one.median for one in self.passes]

    def shares(self, products: Sequence[float | None]) -> list[float | None]:
        """Which part of the speed of the large product each reaches; `products` are multiply-adds a pixel."""
        speed = statistics.median(self.matrix)
        return [
            None if each is None else each * one.prepared.pixels / one.median / speed
            for each, one in zip(products, self.passes, strict=True)
        ]


def measure(
    contestants: Sequence[Ask],
    matrix: Ask,
    sizes: Sequence[Size],
    *,
    repeats: int = 7,
    progress: Progress = SILENT,
) -> list[SizeResult]:
    """Time contestants that are loaded on the same random image of each size.

    They take turns, pass by pass, a product of matrices after each round. Who needs more than 10 seconds for
    `repeats` passes has fewer, but 3 or `repeats` if that is less. `progress` begins a step for each size.
    """
    products = matrix("load")
    return [_measured(contestants, matrix, products, size, repeats, progress) for size in sizes]


def _measured(
    contestants: Sequence[Ask], matrix: Ask, products: int, size: Size, repeats: int, progress: Progress
) -> SizeResult:
    progress.begin(size_text(size), len(contestants) * (repeats + 1))
    prepared: list[Prepared] = []
    for ask in contestants:
        prepared.append(ask("prepare", *size))
        progress.advance()
    seconds: list[list[float]] = [[] for _ in contestants]
    speeds: list[float] = []
    wanted = [repeats] * len(contestants)
    for turn in range(repeats):
        for index, ask in enumerate(contestants):
            if turn < wanted[index]:
                seconds[index].append(ask("run"))
                wanted[index] = _turns(seconds[index][0], repeats)
            progress.advance()
        if turn < max(wanted):
            speeds.append(products / matrix("run"))
    peaks = [ask("peak") for ask in contestants]
    passes = [Passes(*each) for each in zip(prepared, seconds, peaks, strict=True)]
    return SizeResult(size, passes, speeds)


def growth(results: Sequence[SizeResult]) -> list[float | None]:
    """Return the exponent with which each contestant's time grows with the pixels, 1 where it is linear.

    It is the slope of the line that fits best through the logarithms; None for a single size.
    """
    pixels = [math.log(result.pixels) for result in results]
    if len({*pixels}) < 2:
        return [None for _ in results[0].passes]
    medians = [[math.log(one.median) for one in result.passes] for result in results]
    return [float(np.polyfit(pixels, own, 1)[0]) for own in zip(*medians, strict=True)]


def size_text(size: Size) -> str:
    """Return a size as `640x480`: width, then height."""
    return f"{size[0]}x{size[1]}"


def describe(
    names: Sequence[str], products: Sequence[float | None], results: Sequence[SizeResult]
) -> list[Mapping[str, Any]]:
    """Return everything measured, size by size, for JSON."""
    return [
        {
            "size": size_text(result.size),
            "width": result.size[0],
            "height": result.size[1],
            "matrix_gflops": 2e-9 * statistics.median(result.matrix),
            "results": [
                {
                    "contestant": name,
                    "seconds": one.median,
                    "quartiles": one.quartiles,
                    "passes": one.seconds,
                    "warm_up_seconds": one.prepared.seconds,
                    "tiles": one.prepared.tiles,
                    "description": one.prepared.description,
                    "megapixels_per_second": result.pixels / one.median / 1e6,
                    "frames_per_second": 1 / one.median,
                    "ratio": ratio,
                    "peak_bytes": one.peak,
                    "share_of_matrix": share,
                }
                for name, one, ratio, share in zip(
                    names, result.passes, result.ratios, result.shares(products), strict=True
                )
            ],
        }
        for result in results
    ]


def _turns(first: float, repeats: int) -> int:
    return min(repeats, max(_LEAST_PASSES, int(_ENOUGH_SECONDS / first)))
