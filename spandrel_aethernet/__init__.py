"""AetherNet super-resolution models for spandrel.

import spandrel, spandrel_aethernet
spandrel_aethernet.install()
model = spandrel.ModelLoader().load_from_file("aether_small_2x.pth")
"""

from .errors import AetherError
from .model.arch import AETHERNET_REGISTRY, AetherNetArch, install
from .model.checkpoint import Checkpoint, CheckpointInfo, read_checkpoint
from .model.network import AetherNet
from .model.ranges import ActivationRange, TrainedRanges

__version__ = "0.1.0"

__all__ = [
    "AETHERNET_REGISTRY",
    "ActivationRange",
    "AetherError",
    "AetherNet",
    "AetherNetArch",
    "Checkpoint",
    "CheckpointInfo",
    "TrainedRanges",
    "install",
    "read_checkpoint",
]
