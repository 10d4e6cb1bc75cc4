"""AetherNet's generations as spandrel architectures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spandrel import Architecture, ArchRegistry, ArchSupport, ImageModelDescriptor, ModelTiling, StateDict
from typing_extensions import override

from ..errors import check_choice
from .base import AetherBase
from .checkpoint import WEIGHTS, Weights, read_checkpoint
from .contents import opened
from .generation import Generation
from .generations import FIRST, SECOND, generation_of


class _Arch(Architecture[AetherBase]):
    def __init__(self, generation: Generation, weights: Weights) -> None:
        check_choice("weights", weights, WEIGHTS)
        super().__init__(
            id=generation.name, detect=lambda state_dict: generation.claims(opened(state_dict).keys)
        )
        self._weights: Weights = weights

    @override
    def load(self, state_dict: StateDict) -> ImageModelDescriptor[AetherBase]:
        """Load a canonicalised state_dict, or all that a file holds; it stays as it is.

        The network is float32 whatever the file holds. Tags are the variant and the layout found.
        Sizes need no padding: every height and width from 1 works. Raises `CheckpointError`, which names
        the first thing that does not fit.
        """
        checkpoint = read_checkpoint(state_dict, weights=self._weights)
        info = checkpoint.info
        network = checkpoint.unfilled_fused_network()  # the descriptor loads it
        return ImageModelDescriptor(
            network,
            info.generation.fuse(checkpoint.state_dict),
            architecture=self,
            purpose="Restoration" if network.scale == 1 else "SR",
            tags=[info.variant, *info.layout.split(", ")],
            supports_half=True,
            supports_bfloat16=True,
            scale=network.scale,
            input_channels=network.in_chans,
            output_channels=network.in_chans,
            tiling=ModelTiling.SUPPORTED if network.receptive_radius else ModelTiling.DISCOURAGED,
        )


class AetherNetArch(_Arch):
    """Recognises not fused, fused and QAT checkpoints and loads each as a fused network.

    Made with `weights="grid"` or `"raw"`, see `read_checkpoint`; raises `ArgumentError` for others.

        state_dict = torch.load("aether_small_2x.pth")
        model = spandrel_aethernet.AetherNetArch(weights="raw").load(state_dict).model
    """

    def __init__(self, *, weights: Weights = "grid") -> None:
        super().__init__(FIRST, weights)


class AetherNet2Arch(_Arch):
    """Does for the second generation what `AetherNetArch` does for the first.

    state_dict = torch.load("aether2_small_2x.pth")
    model = spandrel_aethernet.AetherNet2Arch().load(state_dict).model
    """

    def __init__(self, *, weights: Weights = "grid") -> None:
        super().__init__(SECOND, weights)


def load_descriptor(
    contents: Mapping[str, Any], *, weights: Weights = "grid"
) -> ImageModelDescriptor[AetherBase]:
    """Load all that a file holds by the architecture of its generation. Raises `CheckpointError`."""
    generation = generation_of(opened(contents).keys)
    return _Arch(generation, weights).load(dict(contents))


AETHERNET_REGISTRY = ArchRegistry()
"""The architectures of this package, to add to a registry of your own."""

AETHERNET_REGISTRY.add(
    ArchSupport.from_architecture(AetherNetArch()), ArchSupport.from_architecture(AetherNet2Arch())
)
