# SPDX-License-Identifier: GPL-3.0-or-later
"""AetherNet models on the edges of a graph."""

from __future__ import annotations

from typing import Any

from nodes.properties.inputs import ModelInput
from spandrel import ImageModelDescriptor

from spandrel_aethernet import AetherBase, install

KEPT_PRECISION = (
    "Weights are taken in the precision PyTorch holds them in: turn off FP16 mode in chaiNNer's PyTorch "
    "settings before Load Model to keep all of an FP32 checkpoint."
)

TYPE = 'PyTorchModel { arch: "AetherNet" | "AetherNet2" }'
"""Both generations, by what chaiNNer calls a model's architecture."""

install()  # chaiNNer's own Load Model reads AetherNet files from here on


class AetherNetInput(ModelInput):
    """A model that chaiNNer's Load Model read and found to be an AetherNet."""

    def __init__(self, label: str = "Model") -> None:
        """Call it `label`."""
        super().__init__(label, TYPE)
        self.associated_type = ImageModelDescriptor[Any]

    def enforce(self, value: object) -> ImageModelDescriptor[Any]:
        """Return the model. Raises ValueError for one of another architecture."""
        model: Any = value
        if isinstance(value, ImageModelDescriptor) and isinstance(model.model, AetherBase):
            return model
        found = model.architecture.name if isinstance(value, ImageModelDescriptor) else type(value).__name__
        raise ValueError(
            f"{self.label} is {found}, and this node takes AetherNet models: connect a Load Model node that "
            "read one"
        )
