# SPDX-License-Identifier: GPL-3.0-or-later
"""The precision of an exported model or an engine, as an input of a node."""

from __future__ import annotations

from enum import Enum

from nodes.properties.inputs import EnumInput


class Precision(Enum):
    """The float type of a model, and whether its Q/DQ nodes make it INT8."""

    FP32 = "fp32"
    FP16 = "fp16"
    FP32_INT8 = "fp32-int8"
    FP16_INT8 = "fp16-int8"


INT8 = (Precision.FP32_INT8, Precision.FP16_INT8)


def precision_input(default: Precision = Precision.FP32_INT8) -> EnumInput[Precision]:
    """Return the input."""
    return EnumInput(
        Precision,
        "Precision",
        type_name="AetherNetPrecision",
        default=default,
        option_labels={
            Precision.FP32: "FP32",
            Precision.FP16: "FP16",
            Precision.FP32_INT8: "FP32 + INT8 (Q/DQ)",
            Precision.FP16_INT8: "FP16 + INT8 (Q/DQ)",
        },
    ).with_docs(
        "FP32 is exact, FP16 half the size and meant for GPUs. With INT8, matrix products and large "
        "convolutions run on 8-bit integers between Q/DQ nodes, with the ranges of quantization-aware "
        "training; the published release has FP32 + INT8 for ONNX Runtime and FP16 + INT8 for TensorRT.",
        "The ONNX Runtime that comes with chaiNNer rounds FP16 + INT8 badly: build engines of it instead.",
    )
