"""What an export is by default: opset and preset."""

from __future__ import annotations

import torch

from ..errors import ArgumentError, check_choice
from ..model.checkpoint import WEIGHTS, Weights
from ..model.operators import PRESETS
from ..precision import Precision
from .torch_export import NEWEST_OPSET, OLDEST_OPSET, newest_opset


def default_opset(precision: Precision) -> int:
    """Return 17, as published, or 20 where scales are float16, which need 19."""
    return 20 if has_half_scales(precision) else OLDEST_OPSET


def default_preset(precision: Precision) -> str:
    """Return `tensorrt` for `fp16-int8`, else the preset that also runs well on a CPU.

    ONNX Runtime has slow kernels for most FP16 operators on a CPU and for a depthwise kernel with Q/DQ.
    """
    return "tensorrt" if has_half_scales(precision) else "onnxruntime"


def settled(
    precision: str | Precision, opset: int | None, preset: str | None, weights: Weights
) -> tuple[Precision, int, str]:
    """Return precision, opset and preset, the defaults put in. Raises `ArgumentError`."""
    precision = Precision.parse(precision)
    preset = default_preset(precision) if preset is None else preset
    check_choice("preset", preset, PRESETS)
    check_choice("weights", weights, WEIGHTS)
    opset = default_opset(precision) if opset is None else opset
    oldest = 19 if has_half_scales(precision) else OLDEST_OPSET
    if not oldest <= opset <= NEWEST_OPSET:
        raise ArgumentError(f"opset {opset} cannot hold {precision}: expected {oldest} to {NEWEST_OPSET}")
    if opset > newest_opset():
        raise ArgumentError(
            f"PyTorch {torch.__version__} cannot write opset {opset}: choose {newest_opset()} or less"
        )
    return precision, opset, preset


def has_half_scales(precision: Precision) -> bool:
    """Tell whether an INT8 model's scales are float16."""
    return precision.int8 and precision.float_type == "fp16"
