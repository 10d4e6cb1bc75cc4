"""What an ONNX super-resolution file is to whichever library runs it."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import AetherError, Hint, OnnxError
from ..gate.limits import VALUES
from ..onnx_model.memory import check_memory
from ..onnx_model.read import MODEL_BYTES, read_onnx
from ..shapes import shape_text
from .padding import Accepted, Limits, run_padded
from .tensors import TensorBackend

PROBE = (1, 3, 64, 48)
"""The image that tells the scale, N x C x H x W; not square, so that swapped axes are seen."""
_TORCH = {np.float32: torch.float32, np.float16: torch.float16}
_OUTPUT_SIDE = 1024
"""Pixels along a tile's output, where activations of aether_small take 0.5 to 1.2 GB."""
_TILE_SIDES = (128, 512)


@dataclass(frozen=True)
class End:
    """An input or an output of a file, as a library describes it."""

    name: str
    type: str
    """In the library's own words."""
    dtype: type[np.floating] | None
    """None for any but float32 and float16."""
    shape: Sequence[int | None]
    """None for an axis that the file leaves open."""


class OnnxNetwork(TensorBackend):
    """A network from an ONNX file, ready to run.

    The file has one input and one output, both N x channels x height x width with values 0..1, float32
    or float16, under any names. Where it fixes the batch, the height or the width, what is smaller is
    padded by repeating its edge and the output cropped.
    """

    def __init__(self, path: Path, inputs: Sequence[End], outputs: Sequence[End]) -> None:
        """Take what was loaded, and run it once. Raises `OnnxError` if it is no super-resolution network."""
        self.path, self.device = path, torch.device("cpu")
        super().__init__()
        if len(inputs) != 1 or len(outputs) != 1:
            raise self._not_super_resolution(f"it has {len(inputs)} inputs and {len(outputs)} outputs")
        for end in (inputs[0], outputs[0]):
            if end.dtype is None:
                raise self._not_super_resolution(f"{end.name} is {end.type}, not float32 or float16")
        shape = inputs[0].shape
        if len(shape) != 4:
            raise self._not_super_resolution(f"{inputs[0].name} has {len(shape)} dimensions, not 4")
        batch, channels, height, width = shape
        self.input, self.output = inputs[0], outputs[0]
        self.accepted = Accepted(*map(Limits.only, (batch, height, width)))
        self.max_batch = batch or 1
        self.one_tile_size = self.accepted.largest_tile is not None
        self.channels = channels or 3
        self.scale = self._measured_scale()

    @abstractmethod
    def infer(self, image: NDArray[np.floating], pixels: torch.dtype) -> NDArray[np.floating]:
        """Run on what the file takes, made of pixels of a dtype; may raise any exception of the library."""

    @abstractmethod
    def reason(self, error: Exception) -> str:
        """Return in one line, without a full stop, what the library says."""

    @property
    def dtype(self) -> str:
        """What the file's input is: float32 or float16."""
        return "float16" if self.input.dtype is np.float16 else "float32"

    def forward(self, batch: Tensor, pixels: torch.dtype = torch.float32) -> Tensor:
        """Run; see `TensorBackend`.

        Raises `OnnxError` if the file cannot take it, and `AetherError` if the memory is not enough.
        """

        def run(padded: Tensor) -> Tensor:
            return self._run(padded, pixels)

        return run_padded(run, batch, self.accepted, scale=self.scale, refuse=self._error)

    def auto_tile(self) -> int:
        """Return the side that the file fixes, or one for which memory does not grow with the scale."""
        free = min(max(_OUTPUT_SIDE // self.scale // 16 * 16, _TILE_SIDES[0]), _TILE_SIDES[1])
        return self.accepted.largest_tile or free

    def _measured_scale(self) -> int:
        axes = self.accepted.height, self.accepted.width
        size = tuple(axis.max or side for axis, side in zip(axes, PROBE[2:], strict=True))
        shape = (self.accepted.batch.min, self.channels, *size)
        if math.prod(shape) > VALUES.value:
            raise self._error(
                f"takes {shape_text(shape)} only, more than the {VALUES.value} values an input may have: "
                f"set {VALUES.variable} in the environment if it is what it should be"
            )
        output = tuple(self._run(torch.full(shape, 0.5), torch.uint8).shape)
        scale = output[2] // size[0] if len(output) == 4 else 0
        if scale < 1 or output != (*shape[:2], *(side * scale for side in size)):
            raise self._not_super_resolution(f"it makes {shape_text(output)} of {shape_text(shape)}")
        return scale

    def _run(self, batch: Tensor, pixels: torch.dtype) -> Tensor:
        assert self.input.dtype is not None
        image = batch.to(_TORCH[self.input.dtype]).contiguous().numpy()
        try:
            return torch.from_numpy(self.infer(image, pixels))
        except AetherError:
            raise
        except Exception as error:  # the errors of these libraries share no other base
            size = shape_text(batch.shape[2:])
            if "alloc" in str(error):
                hint = Hint("give a smaller {tile}")
                raise AetherError(f"not enough memory for a tile of {size}", hint) from error
            raise OnnxError(f"{self.path} fails on a tile of {size}: {self.reason(error)}") from error

    def _not_super_resolution(self, why: str) -> OnnxError:
        return self._error(f"is not a super-resolution network: {why}")

    def _error(self, why: str, hint: Hint | None = None) -> OnnxError:
        return OnnxError(f"{self.path} {why}", hint)


def checked(path: Path) -> bytes | str:
    """Return what a library is given: the very bytes that were checked, or a path where they are too many.

    A model of more than 2 GB, its data beside the file, can be read from the path only. Raises `OnnxError`
    for a file that cannot be read or asks for too much (see `read_onnx` and `check_memory`).
    """
    file = read_onnx(path)
    try:
        check_memory(file.model, PROBE)
    except OnnxError as error:
        raise OnnxError(f"{path}: {error.message.sentence}", error.message.hint) from error
    if not file.has_external:
        return file.content
    return file.model.SerializeToString() if file.model.ByteSize() <= MODEL_BYTES else str(path)
