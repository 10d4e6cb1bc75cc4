"""What a pipeline is measured with: a network that only enlarges, and how pixels were converted before."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..errors import AetherError
from ..images.channels import feed_for, white
from ..inference.backend import Pending, Sample
from ..inference.tensors import TensorBackend


class Enlarging(TensorBackend):
    """Repeats pixels: all that is left of the time is what a network does not take."""

    def __init__(self, *, scale: int = 2, side: int = 2048) -> None:
        """Take the scale, and the side of a tile."""
        self.scale, self.channels, self.max_batch = scale, 3, 1
        self.device = torch.device("cpu")
        self._side = side
        super().__init__()

    def forward(self, batch: Tensor) -> Tensor:
        """Return each pixel `scale` times in both directions."""
        return F.interpolate(batch, scale_factor=self.scale, mode="nearest")

    def auto_tile(self) -> int:
        """Return the side that was given."""
        return self._side


class Canned(Enlarging):
    """Gives the same output whatever comes in, in no time."""

    def __init__(self, scale: int, size: tuple[int, ...]) -> None:
        """Take the scale, and height and width of what comes in."""
        super().__init__(scale=scale)
        sides = (side * scale for side in size)
        self._output = torch.rand((1, 3, *sides), generator=torch.Generator().manual_seed(0))

    def forward(self, batch: Tensor) -> Tensor:
        """Return N x 3 x H x W, channel by channel in memory, as most networks do."""
        assert math.prod(batch.shape[2:]) * self.scale**2 == self._output[0, 0].numel()
        return self._output


class ByNumPy:
    """A backend whose pixels are converted by NumPy, channel by channel, as all were in version 0.1.0."""

    def __init__(self, backend: TensorBackend) -> None:
        """Take what runs the network."""
        self._backend = backend
        self.scale, self.channels, self.max_batch = backend.scale, backend.channels, backend.max_batch
        self.one_tile_size = backend.one_tile_size

    def auto_tile(self) -> int:
        """Return that of the backend."""
        return self._backend.auto_tile()

    def __call__(self, batch: NDArray[Sample]) -> NDArray[Sample]:
        """Upscale one batch; see `Backend`."""
        return self.submit(batch)()

    @torch.inference_mode()
    def submit(self, batch: NDArray[Sample]) -> Pending:
        """Upscale one batch at once, images of as many channels as the network has."""
        assert feed_for(batch.shape[3], self.channels) == [list(range(self.channels))]
        top = np.float32(white(batch.dtype))
        values = np.stack([np.moveaxis(image, 2, 0).astype(np.float32) / top for image in batch])
        sent = torch.from_numpy(values).to(self._backend.device)
        output: NDArray[np.float32] = self._backend.forward(sent).float().cpu().numpy()
        if not np.isfinite(output).all():
            raise AetherError("the network's output is not finite")
        made = np.stack([_image(one, float(top), batch.dtype) for one in output])
        return lambda: made


def _image(output: NDArray[np.float32], top: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    planes = [cast(NDArray[np.float32], np.mean([plane], axis=0)) for plane in output]
    return np.rint(np.clip(np.stack(planes, axis=2), 0, 1) * np.float32(top)).astype(dtype)
