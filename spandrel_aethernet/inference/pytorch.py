"""Running an AetherNet with PyTorch."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import AetherError, ArgumentError, Hint, check_choice
from ..model.first.network import HEAD_WIDTH, AetherNet
from ..shapes import shape_text

DTYPES = ("auto", "float32", "float16", "bfloat16")
_HOST_BUDGET = 2**29
"""Bytes of activations on the CPU, where larger tiles are no faster."""
_TILE_SIDES = (128, 2048)


class PyTorchBackend:
    """A fused network on one device in one dtype."""

    max_batch = 1  # one tile of the size that `auto_tile` gives keeps a device busy

    def __init__(self, network: AetherNet, device: torch.device, dtype: torch.dtype) -> None:
        """Move a fused copy of the network; the one given stays as it is."""
        self.device, self.dtype = device, dtype
        self.scale, self.channels = network.scale, network.in_chans
        self._network = network.fuse().eval().to(device, dtype).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale one batch; see `Backend`. Raises `AetherError` if the memory is not enough."""
        try:
            tensor = torch.from_numpy(batch).to(self.device, self.dtype, memory_format=torch.channels_last)
            return self._network(tensor).float().cpu().numpy()
        except RuntimeError as error:
            if "memory" not in str(error):
                raise
            size, hint = shape_text(batch.shape[2:]), Hint("give a smaller {tile}")
            raise AetherError(f"not enough memory for a tile of {size}", hint) from error

    def auto_tile(self) -> int:
        """Return a tile side whose activations take about 512 MiB, or half of what the GPU has free."""
        budget = _HOST_BUDGET
        if self.device.type == "cuda":
            budget = torch.cuda.mem_get_info(self.device)[0] // 2
        side = math.isqrt(budget // _bytes_per_pixel(self._network, self.dtype))
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


def _bytes_per_pixel(network: AetherNet, dtype: torch.dtype) -> int:
    """Estimate the activations alive at once per input pixel: a block's or the head's, whichever are more."""
    dim = network.conv_first.out_channels
    hidden = int(dim * network.hyperparameters["mlp_ratio"])
    body = 4 * dim + 3 * hidden
    head = 3 * HEAD_WIDTH * network.scale**2
    return max(body, head) * dtype.itemsize
