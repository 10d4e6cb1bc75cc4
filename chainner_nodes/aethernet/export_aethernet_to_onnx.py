# SPDX-License-Identifier: GPL-3.0-or-later
"""From an AetherNet model to an ONNX model."""

from __future__ import annotations

from enum import Enum
from typing import Any

from api import NodeContext
from nodes.groups import if_enum_group
from nodes.impl.onnx.load import load_onnx_model
from nodes.impl.onnx.model import OnnxGeneric
from nodes.properties.inputs import BoolInput, EnumInput
from nodes.properties.outputs import OnnxModelOutput
from spandrel import ImageModelDescriptor

from spandrel_aethernet.onnx_export.export import export_network

from . import utility_group
from ._model import KEPT_PRECISION, AetherNetInput
from ._needs import need_onnx
from ._precision import INT8, Precision, precision_input
from ._progress import NodeProgress, plain_errors
from ._shapes import Shapes, profile_of, shape_inputs

need_onnx()


class Opset(Enum):
    """The version of ONNX's operators; USUAL is the default of the precision."""

    USUAL = 0
    OPSET_17 = 17
    OPSET_18 = 18
    OPSET_19 = 19
    OPSET_20 = 20
    OPSET_21 = 21


class Preset(Enum):
    """What runs an INT8 model; USUAL is the default of the precision."""

    USUAL = "usual"
    ONNXRUNTIME = "onnxruntime"
    TENSORRT = "tensorrt"


@utility_group.register(
    schema_id="aethernet:export_onnx",
    name="Export AetherNet To ONNX",
    description=[
        "Exports an AetherNet to ONNX, in floating point or with Q/DQ nodes for INT8.",
        "The result goes into chaiNNer's own ONNX nodes (Save Model, Upscale Image) and into Build AetherNet "
        "Engine.",
        KEPT_PRECISION,
    ],
    icon="ONNX",
    inputs=[
        AetherNetInput().with_docs("An AetherNet from Load Model or Calibrate AetherNet.", hint=True),
        precision_input(),
        if_enum_group(1, INT8)(
            EnumInput(
                Preset,
                "Optimised For",
                type_name="AetherNetPreset",
                option_labels={
                    Preset.USUAL: "Usual",
                    Preset.ONNXRUNTIME: "ONNX Runtime",
                    Preset.TENSORRT: "TensorRT",
                },
            ).with_docs(
                "Which operators become INT8. ONNX Runtime has slow INT8 kernels for depthwise convolutions "
                "on a CPU, so its preset leaves those in floating point. *Usual* is ONNX Runtime for FP32 + "
                "INT8 and TensorRT for FP16 + INT8."
            )
        ),
        EnumInput(
            Opset,
            "Opset",
            type_name="AetherNetOpset",
            option_labels={
                Opset.USUAL: "Usual",
                **{opset: str(opset.value) for opset in Opset if opset is not Opset.USUAL},
            },
        ).with_docs(
            "The version of ONNX's operators. *Usual* is 17, as published, and 20 for FP16 + INT8, which "
            "needs 19 or newer. The ONNX Runtime that comes with chaiNNer reads up to 20."
        ),
        *shape_inputs(4),
        BoolInput("Verify", default=True).with_docs(
            "Compares the exported model with PyTorch on several sizes, and fails if they do not agree.",
            hint=True,
        ),
    ],
    outputs=[
        OnnxModelOutput("OnnxGenericModel & pytorchToOnnx(Input0)", label="ONNX Model").with_docs(
            "Takes RGB images with values 0..1 and any batch of them; nothing is clamped or padded in it."
        )
    ],
    node_context=True,
    see_also=["aethernet:calibrate", "aethernet:build_engine", "chainner:onnx:save_model"],
)
def export_aethernet_to_onnx_node(
    context: NodeContext,
    model: ImageModelDescriptor[Any],
    precision: Precision,
    preset: Preset,
    opset: Opset,
    shapes: Shapes,
    height: int,
    width: int,
    min_side: int,
    opt_side: int,
    max_side: int,
    max_batch: int,
    verify: bool,
) -> OnnxGeneric:
    """Export, verify and return as chaiNNer's own nodes take it."""
    profile = profile_of(shapes, height, width, min_side, opt_side, max_side, max_batch)
    progress = NodeProgress(context, 1 + (precision in INT8) + verify)
    with plain_errors():
        exported = export_network(
            model,
            precision=precision.value,
            opset=opset.value or None,
            profile=profile,
            preset=None if preset is Preset.USUAL else preset.value,
            verified=verify,
            progress=progress,
        )
        loaded = load_onnx_model(exported.model.SerializeToString())
        progress.finish()
    assert isinstance(loaded, OnnxGeneric)
    return loaded
