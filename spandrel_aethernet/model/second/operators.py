"""The operators of the second generation that can be INT8: one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..operators import QuantizedOp

_TENSORRT = ("tensorrt",)


def operators(hyperparameters: Mapping[str, Any]) -> list[QuantizedOp]:
    """List them in the order they run. First and last convolution, upsampler and attention stay float.

    Its training only observes: no weight is on a grid, and every input has a range.
    """
    table: list[QuantizedOp] = []
    before = "conv_first"
    for stage, depth in enumerate(hyperparameters["depths"]):
        for number in range(depth):
            block = f"stages.{stage}.{number}"
            table += [
                # With Q/DQ around it a depthwise kernel takes many times as long on a CPU.
                QuantizedOp(f"{block}.conv.fused_conv", (before,), (), _TENSORRT),
                QuantizedOp(f"{block}.ffn.conv_gate_main", (f"{block}.norm_quant",), ()),
                QuantizedOp(f"{block}.ffn.conv_out", (f"{block}.ffn.quant_mul",), ()),
            ]
            before = f"{block}.quant_add"
        table.append(QuantizedOp(f"fusion_convs.{stage}", (before,), ()))
    parts = tuple(f"fusion_convs.{stage}" for stage in range(len(hyperparameters["depths"])))
    return [
        *table,
        QuantizedOp("quant_fusion_layer.fusion_conv", parts, ()),
        QuantizedOp("conv_after_body", ("quant_add",), ()),
        QuantizedOp("conv_before_upsample.0", ("quant_add",), ()),
    ]
