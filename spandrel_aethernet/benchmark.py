"""Forward passes of the not fused and the fused network, side by side in one run."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .network import AetherNet


@dataclass(frozen=True)
class Timing:
    """Median seconds of one forward pass on a square image, and how many times faster fused is."""

    side: int
    not_fused: float
    fused: float

    @property
    def ratio(self) -> float:
        """Not fused over fused."""
        return self.not_fused / self.fused


@torch.inference_mode()
def compare_forms(
    network: AetherNet,
    sides: Sequence[int],
    *,
    repeats: int = 7,
    device: torch.device | None = None,
    on_pass: Callable[[], object] = lambda: None,
) -> list[Timing]:
    """Time a not fused network against its fused copy on random images of each side in pixels.

    The two take turns, so that what else the machine does weighs on both alike; one pass of each per
    size is not counted. `on_pass` is called after each pass.
    """
    device = device or torch.device("cpu")
    forms = [form.eval().to(device) for form in (copy.deepcopy(network), network.fuse())]
    timings: list[Timing] = []
    for side in sides:
        image = torch.rand(1, network.in_chans, side, side, device=device)
        image = image.contiguous(memory_format=torch.channels_last)
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(repeats + 1):
            for form, measured in zip(forms, seconds, strict=True):
                measured.append(_seconds(form, image))
                on_pass()
        timings.append(Timing(side, *(statistics.median(measured[1:]) for measured in seconds)))
    return timings


def _seconds(network: AetherNet, image: torch.Tensor) -> float:
    start = time.perf_counter()
    network(image)
    if image.is_cuda:
        torch.cuda.synchronize(image.device)
    return time.perf_counter() - start
