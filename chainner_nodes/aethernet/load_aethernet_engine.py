# SPDX-License-Identifier: GPL-3.0-or-later
"""From an engine file to an engine."""

from __future__ import annotations

from pathlib import Path

from nodes.properties.inputs import BoolInput, FileInput
from nodes.properties.outputs import DirectoryOutput, FileNameOutput

from spandrel_aethernet.engines import SUFFIXES

from . import io_group
from ._engine import TYPE_DEFINITIONS, EngineFile, EngineOutput
from ._progress import plain_errors


def _file_input() -> FileInput:
    given = FileInput("Engine File", "tensorrt", list(SUFFIXES))
    given.type_definitions = TYPE_DEFINITIONS
    return given.with_docs(
        "An engine for TensorRT for RTX or for TensorRT. What lies beside it, *.engine.json*, tells scale "
        "and precision."
    )


@io_group.register(
    schema_id="aethernet:load_engine",
    name="Load AetherNet Engine",
    description=[
        "Takes an engine file that Build AetherNet Engine or `aethernet engine` made. Nothing is loaded "
        "onto a GPU yet."
    ],
    icon="BsNvidia",
    inputs=[
        _file_input(),
        BoolInput("Trust", default=False).with_docs(
            "Takes an engine that no *.engine.json* lies beside. An engine is a program: turn this on only "
            "if you know who built it."
        ),
    ],
    outputs=[
        EngineOutput().with_docs("The engine, for Upscale Image (AetherNet engine)."),
        DirectoryOutput("Directory", of_input=0),
        FileNameOutput("Name", of_input=0),
    ],
    see_also=["aethernet:upscale_image", "aethernet:build_engine"],
)
def load_aethernet_engine_node(path: Path, trust: bool) -> tuple[EngineFile, Path, str]:
    """Return the engine, its folder and its name."""
    with plain_errors():
        return EngineFile.at(path, trust=trust), path.parent, path.stem
