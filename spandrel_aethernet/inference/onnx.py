"""Running any ONNX super-resolution file with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override

from .onnx_network import End, OnnxNetwork
from .onnx_session import open_session, reason

_DTYPES: Mapping[str, type[np.floating]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxBackend(OnnxNetwork):
    """A network from an ONNX file in ONNX Runtime; `provider` is the execution provider in use."""

    def __init__(self, path: Path, *, provider: str = "auto") -> None:
        """Load a file (see `open_session`) and run it once.

        Raises `OnnxError` for a file that cannot be loaded or is not a super-resolution network,
        `ArgumentError` for a provider that is not there, and `MissingPackageError` without ONNX Runtime.
        """
        self._session = open_session(path, provider)
        self.provider: str = self._session.get_providers()[0]
        super().__init__(path, _ends(self._session.get_inputs()), _ends(self._session.get_outputs()))

    @property
    def description(self) -> str:
        """What was loaded and what runs it, for a person to read."""
        return f"ONNX, {self.accepted}, {self.scale}x, {self.dtype} on {self.provider}"

    @override
    def infer(self, image: NDArray[np.floating], pixels: torch.dtype) -> NDArray[np.floating]:
        (output,) = self._session.run([self.output.name], {self.input.name: image})
        return output

    @override
    def reason(self, error: Exception) -> str:
        return reason(error)


def _ends(values: Iterable[Any]) -> list[End]:
    return [End(value.name, value.type, _DTYPES.get(value.type), _sizes(value.shape)) for value in values]


def _sizes(shape: Iterable[object]) -> list[int | None]:
    """Return the sizes of axes, which have a name, or nothing, where they are open."""
    return [size if isinstance(size, int) and size > 0 else None for size in shape]
