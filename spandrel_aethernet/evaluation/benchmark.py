"""Forward passes of several networks, side by side in one run."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..model.network import AetherNet

Forward = Callable[[NDArray[np.float32]], object]
"""Runs a network on N x C x H x W, values 0..1, and returns when the output is there."""


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
    on_pass: Callable[[], object] = lambda: None,
) -> list[Timing]:
    """Time networks on the same random images of each side in pixels.

    They take turns, so that what else the machine does weighs on all alike; one pass of each per size is
    not counted. `on_pass` is called after each pass.
    """
    timings: list[Timing] = []
    for side in sides:
        image = np.random.default_rng(0).random((1, channels, side, side), dtype=np.float32)
        turns: list[list[float]] = []
        for _ in range(repeats + 1):
            turns.append([])
            for network in networks:
                start = time.perf_counter()
                network(image)
                turns[-1].append(time.perf_counter() - start)
                on_pass()
        medians = [statistics.median(seconds) for seconds in zip(*turns[1:], strict=True)]
        timings.append(Timing(side, medians))
    return timings


def both_forms(network: AetherNet, device: torch.device) -> list[Forward]:
    """Return a not fused network and its fused copy, ready to run on `device`."""
    return [_forward(form.eval().to(device), device) for form in (copy.deepcopy(network), network.fuse())]


def _forward(network: AetherNet, device: torch.device) -> Forward:
    @torch.inference_mode()
    def forward(image: NDArray[np.float32]) -> object:
        tensor = torch.from_numpy(image).to(device, memory_format=torch.channels_last)
        return network(tensor).cpu()

    return forward
