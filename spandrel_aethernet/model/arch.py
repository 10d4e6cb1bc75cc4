"""AetherNet as a spandrel architecture."""

from __future__ import annotations

from typing import Any

from spandrel import (
    Architecture,
    ArchRegistry,
    ArchSupport,
    ImageModelDescriptor,
    StateDict,
)
from typing_extensions import override

from ..errors import check_choice
from .checkpoint import WEIGHTS, Weights, detect, read_checkpoint
from .first.network import AetherNet
from .large_kernel import fuse_large_kernels


class AetherNetArch(Architecture[AetherNet]):
    """Recognises not fused, fused and QAT checkpoints and loads each as a fused network.

    Made with `weights="grid"` or `"raw"`, see `read_checkpoint`; raises `ArgumentError` for others.

        state_dict = torch.load("aether_small_2x.pth")
        model = spandrel_aethernet.AetherNetArch(weights="raw").load(state_dict).model
    """

    def __init__(self, *, weights: Weights = "grid") -> None:
        check_choice("weights", weights, WEIGHTS)
        super().__init__(id="AetherNet", detect=detect)
        self._weights: Weights = weights

    @override
    def load(self, state_dict: StateDict) -> ImageModelDescriptor[AetherNet]:
        """Load a canonicalised state_dict, which stays as it is.

        The network is float32 whatever the file holds. Tags are the variant and the layout found.
        Sizes need no padding: every height and width from 1 works. Raises `CheckpointError`, which names
        the first thing that does not fit.
        """
        checkpoint = read_checkpoint(state_dict, weights=self._weights)
        hyperparameters: dict[str, Any] = {**checkpoint.info.hyperparameters, "fused": True}
        model = AetherNet(**hyperparameters)
        return ImageModelDescriptor(
            model,
            fuse_large_kernels(checkpoint.state_dict),
            architecture=self,
            purpose="Restoration" if model.scale == 1 else "SR",
            tags=[checkpoint.info.variant, *checkpoint.info.layout.split(", ")],
            supports_half=True,
            supports_bfloat16=True,
            scale=model.scale,
            input_channels=model.in_chans,
            output_channels=model.in_chans,
        )


AETHERNET_REGISTRY = ArchRegistry()
"""The architectures of this package, to add to a registry of your own."""

AETHERNET_REGISTRY.add(ArchSupport.from_architecture(AetherNetArch()))
