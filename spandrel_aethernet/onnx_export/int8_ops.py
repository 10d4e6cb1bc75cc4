"""What is quantised, and from which range: one table.

An INT8 file quantises the input and the weight of each chosen operator, nothing else: LayerNorm, GELU, biases
and residual sums stay in the file's float type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model.ranges import TrainedRanges


@dataclass(frozen=True)
class QuantisedOp:
    """One Conv or MatMul whose input and weight are int8."""

    module: str
    """Its path in `deployable(network)`; `MODULE.weight` is the name of its weight in the exported file."""
    learned_input: str | None
    """The `TrainedRanges` point that is this operator's input, or None for one that no observer sees."""
    learned_weights: tuple[str, ...]
    """The `TrainedRanges` weights it is made of, in order; none for a fused kernel, a sum of two grids."""
    trained_only: bool = False
    """Whether it stays float unless training put its weights on a grid."""


PRESETS: Mapping[str, tuple[str, ...]] = {
    # The depthwise kernels lose next to nothing.
    "tensorrt": ("depthwise", "ffn", "conv_after_body"),
    # With Q/DQ around it a depthwise kernel takes ten times as long on a CPU; the first upsample
    # convolution makes up for its share of the arithmetic.
    "onnxruntime": ("ffn", "conv_after_body", "upsample.0"),
}
"""The groups that each target runs as INT8. Head and tail are left out: most loss for least work."""


def plan(hyperparameters: Mapping[str, Any], preset: str, ranges: TrainedRanges | None) -> list[QuantisedOp]:
    """List the operators that `preset` quantises in a network with these ranges, in the order they run."""
    chosen = PRESETS[preset]
    table = _table(hyperparameters["depths"], upsamples=hyperparameters["scale"] > 1)
    return [op for group, op in table if group in chosen and (not op.trained_only or on_grid(op, ranges))]


def on_grid(op: QuantisedOp, ranges: TrainedRanges | None) -> bool:
    """Tell whether training put the whole weight of an operator on a grid."""
    if ranges is None or not op.learned_weights:
        return False
    return all(module in ranges.weight_scales for module in op.learned_weights)


def _table(depths: Sequence[int], *, upsamples: bool) -> list[tuple[str, QuantisedOp]]:
    blocks = [f"layers.{stage}.{block}" for stage, depth in enumerate(depths) for block in range(depth)]
    rows: list[tuple[str, QuantisedOp]] = []
    for number, block in enumerate(blocks):
        ffn = f"{block}.ffn"
        merged = f"{ffn}.fc1_gate", f"{ffn}.fc1_main"
        rows += [
            ("depthwise", QuantisedOp(f"{block}.conv.fused_conv", None if number else "conv_first", ())),
            ("ffn", QuantisedOp(f"{ffn}.fc1", f"{block}.norm", merged)),
            ("ffn", QuantisedOp(f"{ffn}.fc2", None, (f"{ffn}.fc2",))),
        ]
    rows.append(("conv_after_body", QuantisedOp("conv_after_body", "norm", ("conv_after_body",))))
    if upsamples:
        # One weight of each channel passes a pixel on, the others are small: on a grid that training never
        # saw, rounding them costs half a decibel.
        upsample = QuantisedOp("upsample.0", "conv_before_upsample.1", ("upsample.0",), trained_only=True)
        rows.append(("upsample.0", upsample))
    return rows
