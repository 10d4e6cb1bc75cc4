"""Running any ONNX super-resolution file with OpenVINO."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override

from .onnx_network import End, OnnxNetwork
from .openvino_core import (
    choose_openvino_device,
    choose_openvino_dtypes,
    compile_model,
    open_core,
    openvino_reason,
    read_model,
)
from .tensors import Forward

_DTYPES: dict[str, type[np.floating]] = {"f32": np.float32, "f16": np.float16}


class OpenVinoBackend(OnnxNetwork):
    """A network from an ONNX file in OpenVINO.

    `dtypes` are those that its float operators compute in, also where the file's are others; INT8 operators
    stay INT8. What runs other images than those of 8 bits is compiled when the first of them comes.
    """

    def __init__(self, path: Path, *, device: str = "auto", dtype: str = "auto") -> None:
        """Load a file and run it once.

        `device` and `dtype` as in `choose_openvino_device` and `choose_openvino_dtypes`, which tell what
        `ArgumentError` is for. Raises `OnnxError` for a file that cannot be loaded or is not a
        super-resolution network, and `MissingPackageError` without OpenVINO.
        """
        self._core = open_core()
        self.runs_on = choose_openvino_device(device, self._core)
        self.dtypes = choose_openvino_dtypes(dtype, self.runs_on, self._core)
        self._model = read_model(path, self._core)
        self._requests: dict[torch.dtype, Any] = {}
        super().__init__(path, _ends(self._model.inputs), _ends(self._model.outputs))

    @property
    def description(self) -> str:
        """What was loaded and what runs it, for a person to read."""
        return f"ONNX, {self.accepted}, {self.scale}x, {self.dtypes} on OpenVINO's {self.runs_on}"

    @property
    @override
    def dtype(self) -> str:
        """In which dtypes it computes."""
        return str(self.dtypes)

    @override
    def forward_of(self, pixels: torch.dtype) -> Forward:
        """Return what runs images of pixels of a dtype."""
        return partial(self.forward, pixels=pixels)

    @override
    def infer(self, image: NDArray[np.floating], pixels: torch.dtype) -> NDArray[np.floating]:
        dtype = self.dtypes.of_bytes if pixels is torch.uint8 else self.dtypes.of_others
        if dtype not in self._requests:
            self._requests[dtype] = compile_model(self._model, self.path, self.runs_on, dtype, self._core)
        return self._requests[dtype].infer([image], share_inputs=True)[0]

    @override
    def reason(self, error: Exception) -> str:
        return openvino_reason(error)


def _ends(ports: Iterable[Any]) -> list[End]:
    return [_end(port) for port in ports]


def _end(port: Any) -> End:
    kind: str = port.element_type.get_type_name()
    shape = port.partial_shape
    sizes = [axis.get_length() if axis.is_static else None for axis in shape] if shape.rank.is_static else []
    return End(port.get_any_name(), kind, _DTYPES.get(kind), sizes)
