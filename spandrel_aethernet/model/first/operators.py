"""The operators of the first generation that can be INT8: one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..operators import QuantizedOp

_TENSORRT = ("tensorrt",)
_ONNXRUNTIME = ("onnxruntime",)


def operators(hyperparameters: Mapping[str, Any]) -> list[QuantizedOp]:
    """List them in the order they run. Head and tail are left out: most loss for least work."""
    blocks = [
        f"layers.{stage}.{block}"
        for stage, depth in enumerate(hyperparameters["depths"])
        for block in range(depth)
    ]
    table: list[QuantizedOp] = []
    for number, block in enumerate(blocks):
        ffn, first = f"{block}.ffn", () if number else ("conv_first",)
        merged = f"{ffn}.fc1_gate", f"{ffn}.fc1_main"
        table += [
            # It loses next to nothing; on a CPU, with Q/DQ around it, it takes ten times as long.
            QuantizedOp(f"{block}.conv.fused_conv", first, (), _TENSORRT),
            QuantizedOp(f"{ffn}.fc1", (f"{block}.norm",), merged, parts=merged),
            QuantizedOp(f"{ffn}.fc2", (), (f"{ffn}.fc2",)),
        ]
    table.append(QuantizedOp("conv_after_body", ("norm",), ("conv_after_body",), dense=True))
    table.append(QuantizedOp("conv_before_upsample.0", (), (), (), dense=True))
    if hyperparameters["scale"] > 1:
        # On a CPU it makes up for the depthwise kernels' share of the arithmetic. One weight of each channel
        # passes a pixel on, the others are small: on a grid that training never saw, rounding them costs
        # half a decibel.
        before = ("conv_before_upsample.1",)
        own = ("upsample.0",)
        table.append(QuantizedOp("upsample.0", before, own, _ONNXRUNTIME, qat_only=True, dense=True))
    return table
