# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges for INT8, measured on the user's own images."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from api import Collector, IteratorInputInfo
from nodes.properties.inputs import ImageInput
from nodes.properties.outputs import ModelOutput
from spandrel import ImageModelDescriptor

from spandrel_aethernet import Calibrator

from . import utility_group
from ._image import to_batch
from ._model import AetherNetInput


@utility_group.register(
    schema_id="aethernet:calibrate",
    name="Calibrate AetherNet",
    description=[
        "Measures on images of your own the ranges that INT8 needs and that are not there from "
        "quantization-aware training. Those from training stay as they are.",
        "Without this node, Export AetherNet To ONNX measures them on photographs that come with it.",
        "A few dozen images of the kind to be upscaled are enough, at the size the model will see; the "
        "middle 128×128 pixels of each are looked at.",
    ],
    icon="MdTune",
    inputs=[
        ImageInput("Image Sequence").with_docs(
            "Images as the model will be given them: small, not upscaled."
        ),
        AetherNetInput().with_docs("The AetherNet to calibrate. It stays as it is.", hint=True),
    ],
    iterator_inputs=IteratorInputInfo(inputs=0),
    outputs=[
        ModelOutput("Input1", label="Calibrated Model").with_docs(
            "The same model with what was measured: connect it to Export AetherNet To ONNX, Build "
            "AetherNet Engine or Save AetherNet Release."
        )
    ],
    kind="collector",
    see_also=["aethernet:export_onnx", "aethernet:info"],
)
def calibrate_aethernet_node(
    _: None, model: ImageModelDescriptor[Any]
) -> Collector[np.ndarray, ImageModelDescriptor[Any]]:
    """Return what takes the images one by one and gives the calibrated model."""
    calibrator = Calibrator(model.model)

    def on_iterate(image: np.ndarray) -> None:
        calibrator.see(torch.from_numpy(to_batch(image, model.input_channels)))

    def on_complete() -> ImageModelDescriptor[Any]:
        network = calibrator.result()
        contents = {"params": network.state_dict(), "arch_config": network.arch_config()}
        calibrated = cast(ImageModelDescriptor[Any], model.architecture.load(contents))
        calibrated.tags = [*model.tags, "calibrated"]
        return calibrated.to(model.device, model.dtype)

    return Collector(on_iterate, on_complete)
