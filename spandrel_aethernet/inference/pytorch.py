"""Running an AetherNet with PyTorch."""

from __future__ import annotations

import copy
import math
import platform
from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from ..errors import AetherError, ArgumentError, Hint, check_choice
from ..model.base import AetherBase
from ..model.generations import runnable
from ..model.second.means import WholeMeans
from ..shapes import shape_text
from .compile import compile_network
from .tensors import Forward, TensorBackend

DTYPES = ("auto", "float32", "float16", "bfloat16")
_HOST_BUDGET = 2**30
"""Bytes of activations on the CPU: larger tiles overlap less, but leave the caches."""
_WHOLE_BUDGET = 2**31
"""The same for networks that a larger tile serves better."""
_TILE_SIDES = (128, 2048)


class Dtypes(NamedTuple):
    """In which dtype a network runs images of 8 bits, and in which all others."""

    of_bytes: torch.dtype
    of_others: torch.dtype

    @override
    def __str__(self) -> str:
        of_bytes, of_others = (str(dtype).removeprefix("torch.") for dtype in self)
        return of_others if of_bytes == of_others else f"{of_bytes} (8-bit images) or {of_others}"


class PyTorchBackend(TensorBackend):
    """A fused network on one device in one dtype, or in two forms (see `Dtypes`).

    `means` gives channel attention the means of a whole image (see `WholeMeans`); None without any.
    `compiled` tells what became of compiling it; None if that was not asked for.
    """

    max_batch = 1  # one tile of the size that `auto_tile` gives keeps a device busy

    def __init__(
        self,
        network: AetherBase,
        device: torch.device,
        dtype: torch.dtype | Dtypes,
        *,
        compile: bool | int = False,  # noqa: A002  (as PyTorch calls it)
    ) -> None:
        """Move a fused copy of the network; the one given stays as it is.

        `compile` compiles what runs images of 8 bits for tiles of a side in pixels, that of `auto_tile` if it
        is True (see `compile_network`).
        """
        self.device = device
        self.dtype = dtype if isinstance(dtype, Dtypes) else Dtypes(dtype, dtype)
        self.scale, self.channels = network.scale, network.in_chans
        self.means = None if network.receptive_radius else WholeMeans()
        self._forms: dict[torch.dtype, _Form] = {}
        self._add_form(runnable(network), self.dtype.of_others)
        super().__init__()
        self._side: int | None = None
        self.compiled: str | None = None
        if compile:
            side = self.auto_tile() if compile is True else compile
            self.compiled = self._form(torch.uint8).compile(side)
            self._side, self.one_tile_size = side, True

    @property
    def description(self) -> str:
        """In which dtypes it runs, where, and what became of compiling it."""
        return ", ".join(filter(None, (f"{self.dtype} on {self.device}", self.compiled)))

    @override
    def forward(self, batch: Tensor) -> Tensor:
        """Run; see `TensorBackend`. Raises `AetherError` if the memory is not enough."""
        return self._form(torch.float32)(batch)

    @override
    def forward_of(self, pixels: torch.dtype) -> Forward:
        """Return what runs images of pixels of a dtype."""
        return self.forward if len({*self.dtype}) == 1 else self._form(pixels)

    def _form(self, pixels: torch.dtype) -> _Form:
        """Return the form for pixels of a dtype; the one for 8 bits is made when it is first needed."""
        first, *_ = self._forms.values()
        dtype = self.dtype.of_bytes if pixels is torch.uint8 else self.dtype.of_others
        return self._forms.get(dtype) or self._add_form(copy.deepcopy(first.network), dtype)

    def _add_form(self, network: AetherBase, dtype: torch.dtype) -> _Form:
        form = self._forms[dtype] = _Form(network, self.device, dtype)
        if self.means:
            self.means.serve(form.network)
        return form

    def auto_tile(self) -> int:
        """Return a tile side whose activations take about 1 GiB, or half of what the GPU has free.

        With channel attention 2 GiB on the CPU: tiles of it are near the whole, not equal to it. Where it is
        compiled for tiles of one side, that one.
        """
        if self._side is not None:
            return self._side
        budget = _HOST_BUDGET if self.means is None else _WHOLE_BUDGET
        if self.device.type == "cuda":
            budget = torch.cuda.mem_get_info(self.device)[0] // 2
        network, size = self._form(torch.float32).network, self.dtype.of_others.itemsize
        side = math.isqrt(budget // (network.values_per_pixel * size))
        return min(max(side // 16 * 16, _TILE_SIDES[0]), _TILE_SIDES[1])


class _Form:
    """A network on one device in one dtype."""

    def __init__(self, network: AetherBase, device: torch.device, dtype: torch.dtype) -> None:
        """Move the network itself."""
        self.network = network.to(device, dtype).to(memory_format=torch.channels_last)
        self._dtype = dtype
        self._compiled: tuple[torch.Size, Forward] | None = None

    def compile(self, side: int) -> str:
        """Compile it for tiles of one side, and tell what became of it."""
        compiled = compile_network(self.network, side)
        if compiled.forward is not None:
            self._compiled = torch.Size((side, side)), compiled.forward
        return compiled.told

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Tensor:
        batch = batch.to(self._dtype, memory_format=torch.channels_last)
        try:
            if self._compiled is not None and batch.shape[2:] == self._compiled[0]:
                return torch.cat([self._compiled[1](tile) for tile in torch.split(batch, 1)])
            return self.network(batch)
        except RuntimeError as error:
            if "memory" not in str(error):
                raise
            size, hint = shape_text(batch.shape[2:]), Hint("give a smaller {tile}")
            raise AetherError(f"not enough memory for a tile of {size}", hint) from error


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


def choose_dtype(name: str, device: torch.device) -> Dtypes:
    """Turn a name into dtypes.

    `auto` is float16 on CUDA, and float32 elsewhere; but on a CPU with `computes_bfloat16` images of 8 bits
    run in bfloat16, 51 dB and more from float32 on the bundled photographs with the bundled model. Raises
    `ArgumentError` for a name that is not one of `DTYPES`.
    """
    check_choice("dtype", name, DTYPES)
    if name == "auto":
        if device.type == "cpu" and computes_bfloat16():
            return Dtypes(torch.bfloat16, torch.float32)
        name = "float16" if device.type == "cuda" else "float32"
    dtype = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[name]
    return Dtypes(dtype, dtype)


def computes_bfloat16() -> bool:
    """Tell whether this CPU multiplies bfloat16 itself: x86 with AVX512-BF16 or AMX, ARM with BF16.

    Others compute it as float32 and round, which takes longer than float32. PyTorch hands such products to
    oneDNN, without which it has no use of the CPU's own.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    if platform.machine().lower() in ("arm64", "aarch64"):
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # private, and all that there is
    return any(getattr(torch.cpu, name, bool)() for name in asked)
