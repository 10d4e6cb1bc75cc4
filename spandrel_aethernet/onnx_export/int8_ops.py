"""What is quantized, and from which range: one table.

An INT8 model quantizes the input and the weight of each chosen operator, nothing else: LayerNorm, GELU,
biases and residual sums stay in the model's float type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model.ranges import TrainedRanges


@dataclass(frozen=True)
class QuantizedOp:
    """One Conv or MatMul whose input and weight are int8."""

    module: str
    """Its path in `deployable(network)`; `MODULE.weight` is the name of its weight in the exported model."""
    qat_input: str | None
    """The `TrainedRanges` activation that is this operator's input, or None for one that no observer sees."""
    qat_weights: tuple[str, ...]
    """The `TrainedRanges` weights it is made of, in order; none for a fused kernel, a sum of two grids."""
    qat_only: bool = False
    """Whether it stays float unless training put its weights on a grid."""


PRESETS: Mapping[str, tuple[str, ...]] = {
    # The depthwise kernels lose next to nothing.
    "tensorrt": ("depthwise", "ffn", "conv_after_body"),
    # With Q/DQ around it a depthwise kernel takes ten times as long on a CPU; the first upsample
    # convolution makes up for its share of the arithmetic.
    "onnxruntime": ("ffn", "conv_after_body", "upsample.0"),
}
"""The groups that each target runs as INT8. Head and tail are left out: most loss for least work."""


def plan(hyperparameters: Mapping[str, Any], preset: str, ranges: TrainedRanges | None) -> list[QuantizedOp]:
    """List the operators that `preset` quantizes in a network with these ranges, in the order they run."""
    chosen = PRESETS[preset]
    table = _table(hyperparameters["depths"], upsamples=hyperparameters["scale"] > 1)
    return [op for group, op in table if group in chosen and (not op.qat_only or on_grid(op, ranges))]


def on_grid(op: QuantizedOp, ranges: TrainedRanges | None) -> bool:
    """Tell whether training put the whole weight of an operator on a grid."""
    if ranges is None or not op.qat_weights:
        return False
    return all(module in ranges.weight_scales for module in op.qat_weights)


def _table(depths: Sequence[int], *, upsamples: bool) -> list[tuple[str, QuantizedOp]]:
    blocks = [f"layers.{stage}.{block}" for stage, depth in enumerate(depths) for block in range(depth)]
    rows: list[tuple[str, QuantizedOp]] = []
    for number, block in enumerate(blocks):
        ffn = f"{block}.ffn"
        merged = f"{ffn}.fc1_gate", f"{ffn}.fc1_main"
        rows += [
            ("depthwise", QuantizedOp(f"{block}.conv.fused_conv", None if number else "conv_first", ())),
            ("ffn", QuantizedOp(f"{ffn}.fc1", f"{block}.norm", merged)),
            ("ffn", QuantizedOp(f"{ffn}.fc2", None, (f"{ffn}.fc2",))),
        ]
    rows.append(("conv_after_body", QuantizedOp("conv_after_body", "norm", ("conv_after_body",))))
    if upsamples:
        # One weight of each channel passes a pixel on, the others are small: on a grid that training never
        # saw, rounding them costs half a decibel.
        upsample = QuantizedOp("upsample.0", "conv_before_upsample.1", ("upsample.0",), qat_only=True)
        rows.append(("upsample.0", upsample))
    return rows
