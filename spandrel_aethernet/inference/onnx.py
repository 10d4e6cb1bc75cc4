"""Running any ONNX super-resolution file with ONNX Runtime."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import AetherError, Hint, OnnxError
from ..gate.limits import VALUES
from ..shapes import shape_text
from .onnx_session import PROBE, open_session, reason
from .padding import Accepted, Limits, run_padded
from .tensors import TensorBackend

_DTYPES: Mapping[str, type[np.floating]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_TORCH: Mapping[type[np.floating], torch.dtype] = {np.float32: torch.float32, np.float16: torch.float16}
_OUTPUT_SIDE = 640
"""Pixels along a tile's output, where activations of aether_small take about 1 GB."""
_TILE_SIDES = (128, 320)


class OnnxBackend(TensorBackend):
    """A network from an ONNX file, ready to run.

    The file has one input and one output, both N x channels x height x width with values 0..1, float32
    or float16, under any names. Where it fixes the batch, the height or the width, what is smaller is
    padded by repeating its edge and the output cropped. `provider` is the execution provider in use.
    """

    def __init__(self, path: Path, *, provider: str = "auto") -> None:
        """Load a file (see `open_session`) and run it once.

        Raises `OnnxError` for a file that cannot be loaded or is not a super-resolution network,
        `ArgumentError` for a provider that is not there, and `MissingPackageError` without ONNX Runtime.
        """
        self.path, self.device = path, torch.device("cpu")
        super().__init__()
        self._session = open_session(path, provider)
        self.provider: str = self._session.get_providers()[0]
        self._input, self._output, shape, self.dtype = self._signature()
        batch, channels, height, width = (
            size if isinstance(size, int) and size > 0 else None for size in shape
        )
        self.accepted = Accepted(*map(Limits.only, (batch, height, width)))
        self.max_batch = batch or 1
        self.channels = channels or 3
        self.scale = self._measured_scale()

    @property
    def description(self) -> str:
        """What was loaded and what runs it, for a person to read."""
        return f"ONNX, {self.accepted}, {self.scale}x, {np.dtype(self.dtype).name} on {self.provider}"

    def forward(self, batch: Tensor) -> Tensor:
        """Run; see `TensorBackend`.

        Raises `OnnxError` if the file cannot take it, and `AetherError` if the memory is not enough.
        """
        return run_padded(self._run, batch, self.accepted, scale=self.scale, refuse=self._error)

    def auto_tile(self) -> int:
        """Return the side that the file fixes, or one for which memory does not grow with the scale."""
        free = min(max(_OUTPUT_SIDE // self.scale // 16 * 16, _TILE_SIDES[0]), _TILE_SIDES[1])
        return self.accepted.largest_tile or free

    def _signature(self) -> tuple[str, str, list[Any], type[np.floating]]:
        """Return the input's and the output's name, and the input's shape and dtype."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise self._not_super_resolution(f"it has {len(inputs)} inputs and {len(outputs)} outputs")
        for tensor in (inputs[0], outputs[0]):
            if tensor.type not in _DTYPES:
                raise self._not_super_resolution(f"{tensor.name} is {tensor.type}, not float32 or float16")
        shape: list[Any] = inputs[0].shape
        if len(shape) != 4:
            raise self._not_super_resolution(f"{inputs[0].name} has {len(shape)} dimensions, not 4")
        return inputs[0].name, outputs[0].name, shape, _DTYPES[inputs[0].type]

    def _measured_scale(self) -> int:
        axes = self.accepted.height, self.accepted.width
        size = tuple(axis.max or side for axis, side in zip(axes, PROBE[2:], strict=True))
        shape = (self.accepted.batch.min, self.channels, *size)
        if math.prod(shape) > VALUES.value:
            raise self._error(
                f"takes {shape_text(shape)} only, more than the {VALUES.value} values an input may have: "
                f"set {VALUES.variable} in the environment if it is what it should be"
            )
        output = tuple(self._run(torch.full(shape, 0.5)).shape)
        scale = output[2] // size[0] if len(output) == 4 else 0
        if scale < 1 or output != (*shape[:2], *(side * scale for side in size)):
            raise self._not_super_resolution(f"it makes {shape_text(output)} of {shape_text(shape)}")
        return scale

    def _run(self, batch: Tensor) -> Tensor:
        image = batch.to(_TORCH[self.dtype]).contiguous().numpy()
        try:
            (output,) = self._session.run([self._output], {self._input: image})
        except Exception as error:  # its errors share no other base
            size = shape_text(batch.shape[2:])
            if "alloc" in str(error):
                hint = Hint("give a smaller {tile}")
                raise AetherError(f"not enough memory for a tile of {size}", hint) from error
            raise OnnxError(f"{self.path} fails on a tile of {size}: {reason(error)}") from error
        return torch.from_numpy(output)

    def _not_super_resolution(self, why: str) -> OnnxError:
        return self._error(f"is not a super-resolution network: {why}")

    def _error(self, why: str, hint: Hint | None = None) -> OnnxError:
        return OnnxError(f"{self.path} {why}", hint)
