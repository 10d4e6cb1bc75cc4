# SPDX-License-Identifier: GPL-3.0-or-later
from dataclasses import dataclass
from typing import Literal

@dataclass
class TensorRTEngineInfo:
    precision: Literal["fp32", "fp16", "int8"]
    input_channels: int
    output_channels: int
    scale: int | None
    gpu_architecture: str
    tensorrt_version: str
    has_dynamic_shapes: bool
    min_shape: tuple[int, int, int, int] | None
    opt_shape: tuple[int, int, int, int] | None
    max_shape: tuple[int, int, int, int] | None

class TensorRTEngine:
    bytes: bytes
    info: TensorRTEngineInfo
    def __init__(self, engine_bytes: bytes, info: TensorRTEngineInfo) -> None: ...
