"""Forward passes of several networks, side by side in one run."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ..model.base import AetherBase
from ..model.generations import deployed
from ..progress import SILENT, Progress
from .turns import take_turns

Forward = Callable[[NDArray[np.float32]], object]
"""Runs a network on N x H x W x C, values 0..1, and returns when the output is there."""


@dataclass(frozen=True)
class Timing:
    """Median seconds of one forward pass of each network on a square image."""

    side: int
    seconds: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """How many times as fast as the first each network is."""
        return [self.seconds[0] / one for one in self.seconds]


def time_in_turns(
    networks: Sequence[Forward],
    channels: int,
    sides: Sequence[int],
    *,
    repeats: int = 7,
    progress: Progress = SILENT,
) -> list[Timing]:
    """Time networks on the same random images of each side in pixels.

    They take turns; one pass of each per size is not counted. `progress` begins one step of as many parts as
    there are passes.
    """
    progress.begin("passes", len(networks) * len(sides) * (repeats + 1))
    timings: list[Timing] = []
    for side in sides:
        image = np.random.default_rng(0).random((1, side, side, channels), dtype=np.float32)
        passes = [partial(network, image) for network in networks]
        take_turns(passes, repeats=1, progress=progress)
        turns = take_turns(passes, repeats=repeats, progress=progress)
        medians = [statistics.median(turn.seconds for turn in own) for own in turns]
        timings.append(Timing(side, medians))
    return timings


def forms(network: AetherBase, device: torch.device) -> dict[str, Forward]:
    """Return a network as it is, fused, and folded as it is exported, ready to run on `device`."""
    found = copy.deepcopy(network).eval()
    fused, folded = network.fuse().eval(), deployed(network, merged=True)
    networks = {"not fused": found, "fused": fused, "folded": folded}
    if network.hyperparameters["fused"]:
        del networks["not fused"]
    return {name: _forward(form.to(device), device) for name, form in networks.items()}


def _forward(network: AetherBase, device: torch.device) -> Forward:
    @torch.inference_mode()
    def forward(image: NDArray[np.float32]) -> object:
        return network(torch.from_numpy(image).to(device).permute(0, 3, 1, 2)).cpu()

    return forward
