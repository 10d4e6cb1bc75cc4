"""Running TensorRT engines, of TensorRT for RTX or of TensorRT, on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ...errors import AetherError, EngineError, Hint
from ...shapes import Profile, shape_text
from ..padding import Accepted, Limits, run_padded
from ..tensors import TensorBackend
from .load import choose_gpu, load_engine
from .session import Session, read_signature


class TensorRTBackend(TensorBackend):
    """A network from an engine file, ready to run on one GPU.

    Its one input and one output are N x channels x height x width with values 0..1, float32, float16 or
    bfloat16, under any names. What is smaller than its optimization profile allows is padded by repeating
    its edge and the output cropped.
    """

    def __init__(self, path: Path, *, device: str = "auto", trust: bool = False) -> None:
        """Load a file (see `choose_gpu` and `load_engine`, which say what `trust` is).

        Raises `EngineError` for one that cannot run here or is not a super-resolution network.
        """
        self.path = path
        self.device = choose_gpu(path, device)
        super().__init__()
        self._loaded = load_engine(path, self.device, trust=trust)
        try:
            self._signature = read_signature(self._loaded.runtime.module, self._loaded.engine)
            self._session = Session(self._loaded, self._signature, self.device)
        except EngineError as error:
            raise self._error(f"cannot be run: {error}") from error
        self.accepted = accepted_by(self._signature.profile)
        self.max_batch = self._signature.profile.batch.max
        self.one_tile_size = True  # that its kernels were chosen for
        self.channels = self._signature.channels
        self.scale = self._scale()

    @property
    def description(self) -> str:
        """What was loaded and what runs it, for a person to read."""
        info = self._loaded.info
        precision = info.precision if info else str(self._signature.input.dtype).removeprefix("torch.")
        return (
            f"{self._loaded.runtime.title} engine, {self.accepted}, {self.scale}x, {precision} "
            f"on {torch.cuda.get_device_name(self.device)}"
        )

    def forward(self, batch: Tensor) -> Tensor:
        """Run; see `TensorBackend`.

        Raises `EngineError` if the engine cannot take it, and `AetherError` if the memory is not enough.
        """
        accepted = replace(self.accepted, batch=self._at_once(batch.shape))
        return run_padded(self._run, batch, accepted, scale=self.scale, refuse=self._error)

    def auto_tile(self) -> int:
        """Return the side that the engine is optimized for."""
        return tile_for(self._signature.profile)

    def _at_once(self, shape: Sequence[int]) -> Limits:
        """Return the profile's batch, its max lowered until the GPU's memory is enough."""
        count, channels, height, width = shape
        least = self.accepted.batch.min
        sides = max(height, self.accepted.height.min), max(width, self.accepted.width.min)
        most = max(min(count, self.max_batch), least)
        while most > least and not self._session.fits((most, channels, *sides)):
            most = max(most // 2, least)
        return Limits(least, most)

    def _run(self, batch: Tensor) -> Tensor:
        size = shape_text(batch.shape[2:])
        try:
            return self._session.run(batch)
        except torch.cuda.OutOfMemoryError as error:
            hint = Hint("give a smaller {tile}")
            raise AetherError(f"not enough GPU memory for a tile of {size}", hint) from error
        except (EngineError, RuntimeError) as error:  # the latter is how PyTorch tells that CUDA failed
            reason = str(error).partition("\n")[0]
            raise self._error(f"fails on a tile of {size}: {reason}") from error

    def _scale(self) -> int:
        """Return how many times as large the output is.

        Raises `EngineError` if it is not the same whole number in both directions.
        """
        profile = self._signature.profile
        # The one as small, the other as large as can be: so swapped axes are seen.
        shape = profile.batch.min, self.channels, profile.height.min, profile.width.max
        output = self._session.output_shape(shape)
        scale = output[2] // shape[2] if len(output) == 4 else 0
        if scale < 1 or output != (*shape[:2], shape[2] * scale, shape[3] * scale):
            story = f"it makes {shape_text(output)} of {shape_text(shape)}"
            raise self._error(f"is not a super-resolution network: {story}")
        return scale

    def _error(self, why: str, hint: Hint | None = None) -> EngineError:
        return EngineError(f"{self.path} {why}", hint)


def accepted_by(profile: Profile) -> Accepted:
    """Return the sizes that an optimization profile allows."""
    return Accepted(
        *(Limits(sizes.min, sizes.max) for sizes in (profile.batch, profile.height, profile.width))
    )


def tile_for(profile: Profile) -> int:
    """Return the side of the largest square within the size that a profile is optimized for.

    Where an axis must be larger, tiles are padded.
    """
    return min(profile.height.opt, profile.width.opt)
