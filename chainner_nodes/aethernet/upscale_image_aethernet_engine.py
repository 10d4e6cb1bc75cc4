# SPDX-License-Identifier: GPL-3.0-or-later
"""Upscaling with an engine of either TensorRT."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from api import NodeContext
from nodes.properties.inputs import ImageInput, NumberInput
from nodes.properties.outputs import ImageOutput

from spandrel_aethernet.inference.tensorrt.backend import TensorRTBackend
from spandrel_aethernet.inference.upscale import upscale

from . import processing_group
from ._engine import EngineFile, EngineInput
from ._image import from_pixels, to_pixels
from ._needs import need_tensorrt
from ._progress import NodeProgress, plain_errors
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
            "The side of the tiles. 0 takes the size that the engine was optimized for. A smaller one takes "
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
        backend = _backend(
            engine.path, _state_of(engine.path), get_settings(context).device, trust=engine.trusted
        )
        output = upscale(to_pixels(image), backend, tile=tile_size or None, progress=NodeProgress(context, 1))
        return from_pixels(output)


@lru_cache(maxsize=4)
def _backend(path: Path, state: tuple[int, int] | None, device: str, *, trust: bool) -> TensorRTBackend:  # noqa: ARG001
    """Load an engine once for all the images of a run, again if its file is another one by then."""
    return TensorRTBackend(path, device=device, trust=trust)


def _state_of(path: Path) -> tuple[int, int] | None:
    """Return what tells one file of this name from another, None for one that is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
