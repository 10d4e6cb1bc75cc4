# SPDX-License-Identifier: GPL-3.0-or-later
"""From an AetherNet model, or its ONNX model, to a TensorRT engine."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from api import NodeContext
from logger import logger
from nodes.groups import Condition, if_enum_group, if_group
from nodes.impl.onnx.model import OnnxGeneric
from nodes.properties.inputs import (
    BoolInput,
    DirectoryInput,
    EnumInput,
    NumberInput,
    RelativePathInput,
    TextInput,
)

from spandrel_aethernet.engines.build import build_engine
from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.profile import Shapes as EngineShapes
from spandrel_aethernet.engines.targets import ALL
from spandrel_aethernet.shapes import Profile, shape_text

from . import utility_group
from ._engine import EngineFile, EngineOutput
from ._labels import node_words
from ._model import KEPT_PRECISION
from ._needs import for_chainner, need, need_tensorrt
from ._precision import INT8, Precision, precision_input
from ._progress import NodeProgress, plain_errors
from ._settings import get_settings
from ._shapes import Shapes, profile_of, shape_inputs
from ._source import Source, SourceInput, as_held, channels_of

need_tensorrt()
need("onnx", remedy="install ONNX in chaiNNer's dependency manager")
_chainner = for_chainner()
if TYPE_CHECKING:
    from nodes.impl.tensorrt.model import TensorRTEngine

    BuildOutputs: TypeAlias = EngineFile | tuple[EngineFile, TensorRTEngine]
else:  # what chaiNNer compares with the outputs that the node has
    BuildOutputs = tuple[EngineFile, _chainner.TensorRTEngine] if _chainner else EngineFile


class Runtime(Enum):
    """Which TensorRT builds."""

    AUTO = "auto"
    RTX = "rtx"
    TENSORRT = "tensorrt"


class Cards(Enum):
    """Which GPUs an engine is for."""

    AUTO = "auto"
    ALL = "all"
    CHOSEN = "chosen"


@utility_group.register(
    schema_id="aethernet:build_engine",
    name="Build AetherNet Engine",
    description=[
        "Builds a TensorRT engine in a file, and beside it *.engine.json* with what is in it. INT8 comes "
        "from the Q/DQ nodes of the ONNX model; an AetherNet is exported on the way.",
        "TensorRT for RTX builds without a GPU, for any GeForce RTX from the 20 series on. TensorRT builds "
        "for the GPU it runs on.",
        KEPT_PRECISION,
    ],
    icon="BsNvidia",
    inputs=[
        SourceInput().with_docs(
            "An AetherNet, or an ONNX model such as Export AetherNet To ONNX gives.", hint=True
        ),
        DirectoryInput(must_exist=False).with_docs("Where the engine is saved."),
        RelativePathInput("Engine Name", default="aethernet").with_docs("Its name, without .engine."),
        if_group(Condition.type(0, "PyTorchModel"))(precision_input(Precision.FP16_INT8)),
        EnumInput(
            Runtime,
            "Runtime",
            type_name="AetherNetRuntime",
            option_labels={
                Runtime.AUTO: "Auto (RTX if installed)",
                Runtime.RTX: "TensorRT for RTX",
                Runtime.TENSORRT: "TensorRT",
            },
        )
        .with_id(4)
        .with_docs(
            "What builds the engine, and what must run it, in the same version. chaiNNer's own nodes run "
            "TensorRT's engines, Upscale Image (AetherNet engine) both."
        ),
        if_enum_group(4, (Runtime.AUTO, Runtime.RTX))(
            EnumInput(
                Cards,
                "For GPUs",
                type_name="AetherNetCards",
                option_labels={Cards.AUTO: "This One, or All", Cards.ALL: "All", Cards.CHOSEN: "Chosen"},
            )
            .with_id(5)
            .with_docs(
                "By default the GPU that is in this computer; without one, all that TensorRT for RTX knows."
            ),
            if_enum_group(5, Cards.CHOSEN)(
                TextInput("GPUs", default="8.6, 8.9", has_handle=False)
                .with_id(6)
                .with_docs(
                    "Cards or compute capabilities, separated by commas: *RTX 3060, RTX 4090*, or *8.6, 8.9*."
                )
            ),
        ),
        *shape_inputs(7),
        if_enum_group(4, Runtime.TENSORRT)(
            NumberInput("Optimization Level", default=3, min=0, max=5).with_docs(
                "How long TensorRT looks for fast kernels."
            ),
            NumberInput("Workspace", default=0, min=0, max=1024, precision=1, step=0.5, unit="GiB").with_docs(
                "How much of the GPU's memory a kernel may use. 0 is all there is."
            ),
        ),
        BoolInput("Overwrite", default=True).with_docs("Replaces an engine of that name."),
    ],
    outputs=[
        EngineOutput(
            """
                match Input0 {
                    PyTorchModel as m => AetherNetEngine { scale: m.scale, channels: m.inputChannels },
                    OnnxModel as m => AetherNetEngine {
                        scale: m.scaleWidth & m.scaleHeight, channels: m.inputChannels
                    },
                }
            """
        ).with_docs("The engine that was saved, for Upscale Image (AetherNet engine)."),
        *([_chainner.chainner_output()] if _chainner else []),
    ],
    side_effects=True,
    node_context=True,
    see_also=["aethernet:upscale_image", "aethernet:export_onnx"],
)
def build_aethernet_engine_node(
    context: NodeContext,
    source: Source,
    directory: Path,
    name: str,
    precision: Precision,
    runtime: Runtime,
    cards: Cards,
    chosen_cards: str,
    shapes: Shapes,
    height: int,
    width: int,
    min_side: int,
    opt_side: int,
    max_side: int,
    max_batch: int,
    level: int,
    workspace: float,
    overwrite: bool,
) -> BuildOutputs:
    """Build an engine and return it, once for our nodes and once for chaiNNer's."""
    profile = profile_of(shapes, height, width, min_side, opt_side, max_side, max_batch)
    for_rtx = runtime is not Runtime.TENSORRT
    options = BuildOptions(
        runtime=runtime.value,
        targets=_targets(cards, chosen_cards) if for_rtx else (),
        shapes=EngineShapes() if shapes is Shapes.PUBLISHED else _shapes(profile, channels_of(source)),
        workspace=None if for_rtx else round(workspace * 1024) or None,
        optimization_level=None if for_rtx else level,
        timing_cache=None if runtime is Runtime.RTX else get_settings(context).timing_cache,
    )
    target = directory / f"{Path(name)}.engine"
    exports = not isinstance(source, OnnxGeneric)
    progress = NodeProgress(context, 1 + (exports and 2 + (precision in INT8)))
    with plain_errors():
        report = build_engine(
            as_held(source),
            target,
            options,
            precision=precision.value if exports else None,
            force=overwrite,
            progress=progress,
        )
        progress.finish()
    for note in report.notes:
        logger.info("%s: %s", target, note.text(node_words))
    engine = EngineFile(report.path, report.info)
    return (engine, _chainner.as_chainner_engine(report.path, report.info)) if _chainner else engine


def _targets(cards: Cards, chosen: str) -> list[str]:
    named = [name.strip() for name in chosen.split(",") if name.strip()]
    if cards is Cards.CHOSEN and not named:
        raise ValueError("GPUs is empty: give a card such as RTX 3060, or choose All")
    return {Cards.AUTO: [], Cards.ALL: [ALL], Cards.CHOSEN: named}[cards]


def _shapes(profile: Profile, channels: int) -> EngineShapes:
    return EngineShapes(*(shape_text(shape, by="x") for shape in profile.shapes(channels)))
