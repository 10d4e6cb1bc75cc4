"""What a budget for INT8 chose, and what each operator cost by itself; part of the metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..gate.values import decimal, tables, texts


@dataclass(frozen=True)
class Sensitivity:
    """Operators that are INT8 together, and what that alone does."""

    operators: Sequence[str]
    int8: bool
    """Whether the budget took them."""
    loss: float
    """dB lost on crops of the calibration images; below 0 where the error happens to help."""
    noise: float
    """PSNR in dB of the network's output with them in INT8 against its output without; at most 200."""
    share: float
    """Of the arithmetic of all operators that may be INT8."""
    clip: float
    """What part of the calibrated range their scale spans; 1 is all of it."""


@dataclass(frozen=True)
class BudgetTable:
    """What was asked for, what came of it on crops of the calibration images, and why."""

    max_loss: float | None
    """dB."""
    min_speedup: float | None
    loss: float
    """dB lost by all chosen operators together."""
    speedup: float | None
    """Times as fast as in float, in ONNX Runtime on the exporting machine; None if it was not measured."""
    rows: Sequence[Sensitivity]
    """The cheapest for its share of the arithmetic first."""

    def describe(self) -> dict[str, Any]:
        """Return it as a JSON-ready document."""
        return asdict(self)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> BudgetTable:
        """Build it of a document. Raises KeyError and ValueError."""
        max_loss, min_speedup, speedup = (
            None if document[name] is None else decimal(document[name])
            for name in ("max_loss", "min_speedup", "speedup")
        )
        rows = [_row(row) for row in tables(document["rows"])]
        return cls(max_loss, min_speedup, decimal(document["loss"]), speedup, rows)


def _row(document: Mapping[str, Any]) -> Sensitivity:
    loss, noise, share, clip = (decimal(document[name]) for name in ("loss", "noise", "share", "clip"))
    return Sensitivity([*texts(document["operators"])], document["int8"] is True, loss, noise, share, clip)
