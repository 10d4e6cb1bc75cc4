"""What the networks of both generations share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import nn
from typing_extensions import Self, override

from ..errors import ArgumentError, check_choice
from .ranges import PREFIX as RANGES_PREFIX
from .ranges import TrainedRanges, ranges_from_tensors, ranges_to_tensors

SCALES = (1, 2, 3, 4, 8)


class AetherBase(nn.Module):
    """A super-resolution network with ranges from training and calibration, which its state_dict carries.

    Takes N x `in_chans` x H x W with values 0..1, any H and W from 1, in the dtype of its parameters, and
    returns N x `in_chans` x H·`scale` x W·`scale` in that dtype, not clamped. `hyperparameters` are the
    keyword arguments that it was made with.

        network: AetherBase = spandrel_aethernet.load_model("aether_small_2x.pth").model
        print(network.scale, network.arch_config(), network.receptive_radius)
    """

    hyperparameters: dict[str, Any] = {}  # noqa: RUF012  (spandrel's decorator sets it on the instance)

    def __init__(self, *, in_chans: int, scale: int, img_range: float) -> None:
        """Check what every network is given; raises `ArgumentError`."""
        super().__init__()
        check_sizes({"in_chans": in_chans})
        check_choice("scale", scale, SCALES)
        self.scale = scale
        self.in_chans = in_chans
        self.img_range = img_range
        self.trained_ranges: TrainedRanges | None = None

    @property
    @abstractmethod
    def receptive_radius(self) -> int | None:
        """How many input pixels away a pixel can still change an output pixel; None for any distance."""

    @property
    @abstractmethod
    def values_per_pixel(self) -> int:
        """An estimate of the values alive at once for each input pixel: a block's or the head's, if more."""

    @abstractmethod
    def arch_config(self) -> dict[str, Any]:
        """Return what a file has to record because no tensor tells it, as the published files call it."""

    @abstractmethod
    def fuse(self) -> Self:
        """Return a fused copy on the same device and in the same dtype; this network stays as it is."""

    @classmethod
    def fused_form(cls, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hyper-parameters of the same network in its fused form."""
        return {**hyperparameters, "fused": True}

    # The ranges are not buffers because `model.half()`, which chaiNNer calls, would round them.
    @override
    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.trained_ranges is not None:
            for key, tensor in ranges_to_tensors(self.trained_ranges).items():
                destination[prefix + key] = tensor

    @override
    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        own = prefix + RANGES_PREFIX
        unexpected_keys[:] = [key for key in unexpected_keys if not key.startswith(own)]
        self.trained_ranges = ranges_from_tensors(
            {key.removeprefix(prefix): tensor for key, tensor in state_dict.items() if key.startswith(own)}
        )


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Raise `ArgumentError` for a size below 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ArgumentError(f"{name} must be 1 or more, not {size}")
