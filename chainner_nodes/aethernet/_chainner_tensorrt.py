# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines for chaiNNer's own TensorRT nodes. Cannot be imported where its TensorRT is not installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from nodes.impl.tensorrt.model import TensorRTEngine, TensorRTEngineInfo
from nodes.properties.outputs import TensorRTEngineOutput

from spandrel_aethernet.engines.sidecar import EngineInfo
from spandrel_aethernet.precision import Precision


class _ForOtherNodes(TensorRTEngine):
    """An engine of TensorRT for RTX: what is known of it, without the bytes that TensorRT cannot read."""

    def __init__(self, info: TensorRTEngineInfo) -> None:
        self.info = info

    def __getattr__(self, name: str) -> Any:
        if name != "bytes":
            raise AttributeError(name)
        raise ValueError(
            "This engine is for TensorRT for RTX, which chaiNNer's own TensorRT nodes cannot run: use "
            "Upscale Image (AetherNet engine), or choose TensorRT as Runtime in Build AetherNet Engine"
        )


def chainner_output() -> TensorRTEngineOutput:
    """Return the output of a node whose first input is a PyTorch or an ONNX model."""
    engine_type = """
        match Input0 {
            PyTorchModel as m => TensorRTEngine {
                scale: m.scale, inputChannels: m.inputChannels, outputChannels: m.outputChannels
            },
            OnnxModel as m => TensorRTEngine {
                scale: m.scaleWidth & m.scaleHeight,
                inputChannels: m.inputChannels,
                outputChannels: m.outputChannels
            },
        }
    """
    return TensorRTEngineOutput(engine_type).with_docs(
        "The same engine for chaiNNer's own nodes, if TensorRT built it."
    )


def as_chainner_engine(path: Path, info: EngineInfo) -> TensorRTEngine:
    """Return an engine as chaiNNer's own nodes take it."""
    if info.runtime == "rtx":
        return _ForOtherNodes(_described(info))
    return TensorRTEngine(path.read_bytes(), _described(info))


def _described(info: EngineInfo) -> TensorRTEngineInfo:
    min_shape, opt_shape, max_shape = (
        (1, channels, height, width) for _, channels, height, width in info.profile.shapes(info.channels)
    )
    return TensorRTEngineInfo(
        precision=_as_fed(info.precision),
        input_channels=info.channels,
        output_channels=info.channels,
        scale=info.scale,
        gpu_architecture=", ".join(f"sm_{target.replace('.', '')}" for target in info.targets),
        tensorrt_version=info.version,
        has_dynamic_shapes=bool(info.profile.dynamic()),
        min_shape=min_shape,
        opt_shape=opt_shape,
        max_shape=max_shape,
    )


def _as_fed(precision: Precision) -> Literal["fp32", "fp16", "int8"]:
    """Return the name that makes chaiNNer feed an engine what it takes: float16 for `fp16`, else float32."""
    if precision.float_type == "fp16":
        return "fp16"
    return "int8" if precision.int8 else "fp32"
