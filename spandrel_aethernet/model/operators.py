"""What an INT8 model quantizes: the input and the weight of each chosen operator, nothing else.

Norms, activations, biases and residual sums stay in the model's float type. Which operators there are is each
generation's own table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from typing_extensions import override

from .ranges import TrainedRanges

PRESETS = ("tensorrt", "onnxruntime")
"""The targets that operators are chosen for."""


@dataclass(frozen=True)
class QuantizedOp:
    """One Conv or MatMul whose input and weight are int8."""

    module: str
    """Its path in the deployed network; `MODULE.weight` is the name of its weight in the exported model."""
    qat_input: tuple[str, ...]
    """The `TrainedRanges` activations that its input is made of; none if no observer sees it."""
    qat_weights: tuple[str, ...]
    """The `TrainedRanges` weights it is made of, in order; none for a fused kernel, a sum of two grids."""
    presets: tuple[str, ...] = PRESETS
    """The targets that run it as INT8."""
    qat_only: bool = False
    """Whether it stays float unless training put its weights on a grid, or a budget has room for it."""
    dense: bool = False
    """Whether ONNX Runtime has an integer kernel for it only where its output is int8, too: in a budget."""
    output: bool = False
    """Whether its output is int8, too."""
    parts: tuple[str, ...] = ()
    """The modules that take its place, side by side, in a network that does not merge them."""
    merged: str = ""
    """Of such a part, the operator whose place it takes."""
    place: int | None = None
    """Of such a part, which it is, from 0."""

    @property
    def point(self) -> str:
        """What calibration calls its input."""
        return self.merged or self.module

    def apart(self) -> list[QuantizedOp]:
        """Return the operators that take its place in a network that does not merge them."""
        return [
            replace(
                self,
                module=part,
                qat_weights=(part,) if part in self.qat_weights else (),
                parts=(),
                merged=self.module,
                place=place,
            )
            for place, part in enumerate(self.parts)
        ] or [self]

    def on_grid(self, ranges: TrainedRanges | None) -> bool:
        """Tell whether training put the whole weight on a grid."""
        if ranges is None or not self.qat_weights:
            return False
        return all(module in ranges.weight_scales for module in self.qat_weights)

    def qat_amax(self, ranges: TrainedRanges | None) -> float | None:
        """Return the amax that QAT saw at the input; None unless an observer was at all of it."""
        spans = [ranges.activations.get(point) for point in self.qat_input] if ranges else []
        if not spans or None in spans:
            return None
        return max(max(abs(span.min), abs(span.max)) for span in spans if span)


class MatMul(nn.Module):
    """The matrix product of Linears that take the same input; their outputs lie one after the other.

    The weight lies as (in, out), so that no Transpose stands between it and its MatMul.
    """

    def __init__(self, *linears: nn.Linear) -> None:
        super().__init__()
        weight = torch.cat([linear.weight for linear in linears])
        self.weight = nn.Parameter(weight.detach().t().contiguous())

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return `x @ weight` for ... x in."""
        return torch.matmul(x, self.weight)
