# SPDX-License-Identifier: GPL-3.0-or-later
"""From an AetherNet model to a release folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api import NodeContext
from nodes.properties.inputs import BoolInput, DirectoryInput, RelativePathInput
from nodes.properties.outputs import DirectoryOutput
from spandrel import ImageModelDescriptor

from spandrel_aethernet.release.make import make_release

from . import io_group
from ._model import KEPT_PRECISION, AetherNetInput
from ._needs import need_onnx
from ._progress import NodeProgress, plain_errors

need_onnx()


@io_group.register(
    schema_id="aethernet:save_release",
    name="Save AetherNet Release",
    description=[
        "Makes a folder with every form of an AetherNet: the fused checkpoint as .pth and .safetensors, ONNX "
        "in FP32, FP16 and both with INT8, an engine where TensorRT for RTX is installed, a model card with "
        "what was measured, and checksums.",
        "The folder appears when all of it is done. It takes a minute or more. The not fused form is not in "
        "it, as Load Model has fused it: `aethernet release` makes a folder with both.",
        KEPT_PRECISION,
    ],
    icon="MdInventory",
    inputs=[
        AetherNetInput().with_docs(
            "The AetherNet to release, from Load Model or Calibrate AetherNet.", hint=True
        ),
        DirectoryInput(must_exist=False).with_docs("Where the folder is made."),
        RelativePathInput("Folder Name", default="aethernet-release").with_docs(
            "The name of the folder; it may have folders of its own before it."
        ),
        DirectoryInput("Comparison Images", must_exist=True)
        .make_optional()
        .with_docs(
            "Originals on which every file is measured, at most a few dozen. Without them, six photographs "
            "that come with this package.",
            hint=True,
        ),
        BoolInput("Overwrite", default=False).with_docs(
            "Replaces a release that is there. A folder with anything else in it is never touched."
        ),
        BoolInput("Engine", default=True).with_docs(
            "Builds an engine for all GeForce RTX cards, where TensorRT for RTX is installed."
        ),
    ],
    outputs=[DirectoryOutput("Release").with_docs("The folder that was made.")],
    side_effects=True,
    node_context=True,
    see_also=["aethernet:export_onnx", "aethernet:build_engine"],
)
def save_aethernet_release_node(
    context: NodeContext,
    model: ImageModelDescriptor[Any],
    directory: Path,
    name: str,
    images: Path | None,
    overwrite: bool,
    engine: bool,
) -> Path:
    """Make the folder and return its path."""
    target = directory / name
    progress = NodeProgress(context, 12)  # fuse, calibrate, export and verify four files, build, compare
    with plain_errors():
        make_release(
            model,
            target,
            name=model.tags[0],
            images=images,
            engine=None if engine else False,
            force=overwrite,
            progress=progress,
        )
        progress.finish()
    return target
