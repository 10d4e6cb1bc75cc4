"""Channel attention in tiles: each block is given the means of the whole image instead of its tile's."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from .blocks import ChannelAttention


class WholeMeans:
    """The means of every channel attention of a network, over all tiles of one image.

    A pass over all tiles makes the means of the next. The first block's are exact after one pass, and each
    pass makes one block more exact; what is left of the others' error shrinks with every pass.
    """

    def __init__(self) -> None:
        self._kept: tuple[slice, slice] | None = None
        self._sums: dict[int, Tensor] = {}
        self._pixels = 0
        self._known: dict[int, Tensor] = {}

    def serve(self, network: nn.Module) -> None:
        """Let the attention of a network, or of the same in another dtype, ask for its means here."""
        attention = (module for module in network.modules() if isinstance(module, ChannelAttention))
        for number, module in enumerate(attention):
            module.given_means = partial(self._means, number)

    @contextmanager
    def of_one_image(self) -> Generator[None]:
        """Forget, at the end, what was found."""
        try:
            yield
        finally:
            self._known, self._sums, self._pixels = {}, {}, 0

    @contextmanager
    def looking_at(self, rows: slice, columns: slice) -> Generator[None]:
        """Add up what the network sees in the kept part of one tile."""
        self._kept = rows, columns
        self._pixels += (rows.stop - rows.start) * (columns.stop - columns.start)
        try:
            yield
        finally:
            self._kept = None

    def end_pass(self) -> None:
        """Take what was added up since the last call as the means from here on."""
        self._known = {number: total / self._pixels for number, total in self._sums.items()}
        self._sums, self._pixels = {}, 0

    def _means(self, number: int, x: Tensor) -> Tensor:
        if self._kept is not None:
            rows, columns = self._kept
            part = x[:, :, rows, columns].sum((2, 3), keepdim=True, dtype=torch.float32)
            self._sums[number] = self._sums[number] + part if number in self._sums else part
        known = self._known.get(number)
        return x.mean((2, 3), keepdim=True) if known is None else known.to(x.dtype)
