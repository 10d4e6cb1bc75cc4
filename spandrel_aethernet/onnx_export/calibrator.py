"""Ranges measured image by image and kept with the network."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import AetherError
from ..model.network import AetherNet
from ..model.ranges import TrainedRanges
from .calibration import learned_input, middle, watched_inputs
from .deploy import deployable
from .int8_ops import PRESETS, plan


class Calibrator:
    """Measures the inputs that training left open, of every operator that any preset quantises.

    What it finds travels in the network's `trained_ranges`, so every later export takes it instead of the
    bundled photographs.
    """

    def __init__(self, network: AetherNet) -> None:
        """Take a network in any form, on any device and in any dtype; it stays as it is."""
        self._network = network
        self._ranges = network.trained_ranges or TrainedRanges()
        self._deployed = deployable(copy.deepcopy(network).cpu().float(), merged=True)
        planned = [op for preset in PRESETS for op in plan(network.hyperparameters, preset, self._ranges)]
        found = {op.module for op in planned if learned_input(op, self._ranges) is None}
        self._largest = dict.fromkeys(sorted(found), 0.0)
        self._seen = 0

    @property
    def open_points(self) -> tuple[str, ...]:
        """The operators whose input is measured."""
        return tuple(self._largest)

    def see(self, image: Tensor) -> None:
        """Run an image, 1 x C x H x W with values 0..1, of which only the middle is looked at."""
        height, width = image.shape[2:]
        crop = image[:, :, middle(height), middle(width)].cpu().float()
        with watched_inputs(self._deployed, self.open_points) as seen, torch.inference_mode():
            self._deployed(crop)
        self._seen += 1
        self._largest = {module: max(largest, seen[module]) for module, largest in self._largest.items()}

    def result(self) -> AetherNet:
        """Return a copy of the network that carries what was measured; ranges of training stay.

        Raises `AetherError` if it saw no image.
        """
        if not self._seen:
            raise AetherError("no image came to calibrate on: give at least one")
        calibrated = copy.deepcopy(self._network)
        calibrated.trained_ranges = replace(self._ranges, calibrated_inputs=self._largest)
        return calibrated
