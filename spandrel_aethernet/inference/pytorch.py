"""Running an AetherNet with PyTorch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import AetherError, ArgumentError, Hint, check_choice
from ..model.base import AetherBase
from ..model.generations import runnable
from ..model.second.means import WholeMeans
from ..shapes import shape_text
from .tensors import TensorBackend

DTYPES = ("auto", "float32", "float16", "bfloat16")
_HOST_BUDGET = 2**29
"""Bytes of activations on the CPU, where larger tiles are no faster."""
_WHOLE_BUDGET = 2**31
"""The same for networks that a larger tile serves better."""
_TILE_SIDES = (128, 2048)


class PyTorchBackend(TensorBackend):
    """A fused network on one device in one dtype.

    `means` gives channel attention the means of a whole image (see `WholeMeans`); None without any.
    """

    max_batch = 1  # one tile of the size that `auto_tile` gives keeps a device busy

    def __init__(self, network: AetherBase, device: torch.device, dtype: torch.dtype) -> None:
        """Move a fused copy of the network; the one given stays as it is."""
        self.device, self.dtype = device, dtype
        self.scale, self.channels = network.scale, network.in_chans
        self._network = runnable(network).to(device, dtype).to(memory_format=torch.channels_last)
        super().__init__()
        self.means = None if network.receptive_radius else WholeMeans(self._network)

    @torch.inference_mode()
    def forward(self, batch: Tensor) -> Tensor:
        """Run; see `TensorBackend`. Raises `AetherError` if the memory is not enough."""
        try:
            return self._network(batch.to(self.dtype, memory_format=torch.channels_last))
        except RuntimeError as error:
            if "memory" not in str(error):
                raise
            size, hint = shape_text(batch.shape[2:]), Hint("give a smaller {tile}")
            raise AetherError(f"not enough memory for a tile of {size}", hint) from error

    def auto_tile(self) -> int:
        """Return a tile side whose activations take about 512 MiB, or half of what the GPU has free.

        With channel attention 2 GiB on the CPU: tiles of it are near the whole, not equal to it.
        """
        budget = _HOST_BUDGET if self.means is None else _WHOLE_BUDGET
        if self.device.type == "cuda":
            budget = torch.cuda.mem_get_info(self.device)[0] // 2
        side = math.isqrt(budget // (self._network.values_per_pixel * self.dtype.itemsize))
        return min(max(side // 16 * 16, _TILE_SIDES[0]), _TILE_SIDES[1])


def choose_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda:1`, `mps` … into a device. Raises `ArgumentError` if it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        hint = Hint("try {device}", device="cpu")
        raise ArgumentError(f"device {name} cannot be used here ({reason})", hint) from error
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Turn a name into a dtype: `auto` is float16 on CUDA, else float32.

    Raises `ArgumentError` for a name that is not one of `DTYPES`.
    """
    check_choice("dtype", name, DTYPES)
    if name == "auto":
        name = "float16" if device.type == "cuda" else "float32"
    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[name]
