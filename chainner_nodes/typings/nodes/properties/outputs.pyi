# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path
from typing import Any

import navi
import numpy as np
from api import BaseOutput
from nodes.impl.onnx.model import OnnxGeneric
from nodes.impl.tensorrt.model import TensorRTEngine

class BoolOutput(BaseOutput[bool]):
    def __init__(self, label: str = ...) -> None: ...

class TextOutput(BaseOutput[str]):
    def __init__(self, label: str, output_type: navi.ExpressionJson = ...) -> None: ...

class NumberOutput(BaseOutput[int | float]):
    def __init__(self, label: str, output_type: navi.ExpressionJson = ...) -> None: ...

class DirectoryOutput(BaseOutput[Path]):
    def __init__(self, label: str = ..., of_input: int | None = ...) -> None: ...

class ImageOutput(BaseOutput[np.ndarray]):
    def __init__(self, label: str = ..., *, image_type: navi.ExpressionJson = ...) -> None: ...

class ModelOutput(BaseOutput[Any]):
    def __init__(self, model_type: navi.ExpressionJson = ..., label: str = ...) -> None: ...

class OnnxModelOutput(BaseOutput[OnnxGeneric]):
    def __init__(self, model_type: navi.ExpressionJson = ..., label: str = ...) -> None: ...

class TensorRTEngineOutput(BaseOutput[TensorRTEngine]):
    def __init__(self, model_type: navi.ExpressionJson = ..., label: str = ...) -> None: ...

def FileNameOutput(label: str = ..., of_input: int | None = ...) -> TextOutput: ...
