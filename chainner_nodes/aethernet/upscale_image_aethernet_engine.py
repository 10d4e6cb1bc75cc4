# SPDX-License-Identifier: GPL-3.0-or-later
"""Upscaling with an engine of either TensorRT."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from api import NodeContext
from nodes.properties.inputs import ImageInput, NumberInput
from nodes.properties.outputs import ImageOutput

from spandrel_aethernet.backends.tensorrt_engine import TensorRTBackend
from spandrel_aethernet.images.tiles import DEFAULT_OVERLAP, tile_count, upscale_pixels

from . import processing_group
from ._engine import EngineFile, EngineInput
from ._image import from_pixels, to_pixels
from ._needs import need_tensorrt
from ._progress import Steps, plain_errors
from ._settings import get_settings

need_tensorrt()


@processing_group.register(
    schema_id="aethernet:upscale_image",
    name="Upscale Image (AetherNet engine)",
    description=[
        "Upscales an image with a TensorRT engine on an NVIDIA GPU. Runs engines of TensorRT for RTX, which "
        "chaiNNer's own nodes cannot, and those of TensorRT.",
        "Large images go through in tiles, several at once as far as the engine and the GPU's memory allow. "
        "An alpha channel is upscaled like a grey image.",
    ],
    icon="BsNvidia",
    inputs=[
        ImageInput().with_id(1).with_docs("The image to upscale: grey, RGB or RGBA."),
        EngineInput().with_id(0).with_docs("From Build AetherNet Engine or Load AetherNet Engine."),
        NumberInput("Tile Size", default=0, min=0, max=8192, unit="px")
        .with_id(2)
        .with_docs(
            "The side of the tiles. 0 takes the size that the engine was optimised for. A smaller one takes "
            "less of the GPU's memory."
        ),
    ],
    outputs=[
        ImageOutput(
            image_type="""
                Image {
                    width: Input0.scale * Input1.width,
                    height: Input0.scale * Input1.height,
                    channels: Input1.channels,
                }
            """
        )
    ],
    node_context=True,
    see_also=["aethernet:build_engine", "aethernet:load_engine"],
)
def upscale_image_aethernet_engine_node(
    context: NodeContext, image: np.ndarray, engine: EngineFile, tile_size: int
) -> np.ndarray:
    """Upscale one image."""
    context.add_cleanup(_backend.cache_clear)
    with plain_errors():
        backend = _backend(engine.path, get_settings(context).device)
        pixels = to_pixels(image)
        tile = tile_size or max(backend.auto_tile(), 2 * DEFAULT_OVERLAP + 16)
        steps = Steps(context, 1)
        steps.begin("upscaling", tile_count(pixels, tile, DEFAULT_OVERLAP))
        return from_pixels(upscale_pixels(backend, pixels, tile=tile, on_tile=steps.advance))


@lru_cache(maxsize=1)
def _backend(path: Path, device: str) -> TensorRTBackend:
    """Load an engine once for all the images of a run."""
    return TensorRTBackend(path, device=device)
