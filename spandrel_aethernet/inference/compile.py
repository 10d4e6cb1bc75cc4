"""A network compiled by torch.compile for tiles of one size; tiles of others run as they always do."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.base import AetherBase


@dataclass(frozen=True)
class Compiled:
    """What became of compiling a network."""

    forward: Callable[[Tensor], Tensor] | None
    """Runs 1 x `in_chans` x side x side, in the network's dtype; None if there is no such thing here."""
    told: str
    """One line without its full stop: for what, in how many seconds, or why not."""


@torch.inference_mode()
def compile_network(network: AetherBase, side: int) -> Compiled:
    """Compile a network, in evaluation mode, for square tiles; takes half a minute and runs one tile.

    On a CPU it needs a C++ compiler, and gives up strips (see `in_strips`): with two cores of a Xeon it was
    0.9 times as fast as without. On a GPU it needs Triton. Other shapes are not for it: padded to the tile
    they would differ near the edge of an image, where the network sees zeros, and each of their own takes as
    long again. Nor are networks that look at a whole image, whose Python code acts between tiles.
    """
    if network.receptive_radius is None:
        return Compiled(None, "not compiled: its channel attention takes means of the whole image")
    own = next(network.parameters())
    tile = torch.zeros(1, network.in_chans, side, side, dtype=own.dtype, device=own.device)
    began = time.monotonic()
    try:
        with redirect_stdout(sys.stderr):
            compiled = torch.compile(network, dynamic=False, options={"freezing": True})
            forward = _with_fixed_strides(compiled)
            forward(tile)
    except (RuntimeError, ImportError, OSError) as error:
        return Compiled(None, f"not compiled: {_reason(error)}")
    return Compiled(forward, f"compiled for tiles of {side} in {time.monotonic() - began:.0f} s")


def _with_fixed_strides(compiled: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Copy each tile to the one layout that was compiled for; several memory formats fit one channel."""

    def forward(tile: Tensor) -> Tensor:
        own = torch.empty_like(tile, memory_format=torch.channels_last)
        return compiled(own.copy_(tile))

    return forward


def _reason(error: BaseException) -> str:
    """Return the first line of an error, or what is missing."""
    text = str(error).strip() or type(error).__name__
    return "no working C++ compiler was found" if "C++ compiler" in text else text.partition("\n")[0]
