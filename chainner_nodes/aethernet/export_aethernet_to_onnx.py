# SPDX-License-Identifier: GPL-3.0-or-later
"""From an AetherNet model to an ONNX model."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from api import NodeContext
from nodes.groups import if_enum_group
from nodes.impl.onnx.load import load_onnx_model
from nodes.impl.onnx.model import OnnxGeneric
from nodes.properties.inputs import BoolInput, EnumInput
from nodes.properties.outputs import OnnxModelOutput
from spandrel import ImageModelDescriptor

from spandrel_aethernet.onnx_export.export import export_onnx

from . import utility_group
from ._model import KEPT_PRECISION, AetherNetInput, model_file
from ._precision import Precision, precision_input
from ._progress import Steps, plain_errors
from ._shapes import Shapes, profile_of, shape_inputs


class Opset(Enum):
    """The version of ONNX's operators; USUAL is what was published, or what the precision needs."""

    USUAL = 0
    OPSET_17 = 17
    OPSET_18 = 18
    OPSET_19 = 19
    OPSET_20 = 20
    OPSET_21 = 21


class Preset(Enum):
    """What runs an INT8 model."""

    USUAL = "usual"
    ONNXRUNTIME = "onnxruntime"
    TENSORRT = "tensorrt"


_INT8 = (Precision.FP32_INT8, Precision.FP16_INT8)


@utility_group.register(
    schema_id="aethernet:export_onnx",
    name="Export AetherNet To ONNX",
    description=[
        "Exports an AetherNet to ONNX, in floating point or with the Q/DQ nodes of its trained INT8 ranges.",
        "The result goes into chaiNNer's own ONNX nodes (Save Model, Upscale Image) and into Build AetherNet "
        "Engine.",
        KEPT_PRECISION,
    ],
    icon="ONNX",
    inputs=[
        AetherNetInput().with_docs("An AetherNet from Load Model or Calibrate AetherNet.", hint=True),
        precision_input(),
        if_enum_group(1, _INT8)(
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
    smallest: int,
    usual: int,
    largest: int,
    batch: int,
    verify: bool,
) -> OnnxGeneric:
    """Export, verify and return as chaiNNer's own nodes take it."""
    profile = profile_of(shapes, height, width, smallest, usual, largest, batch)
    steps = Steps(context, 1 + (precision in _INT8) + verify)
    with plain_errors(), TemporaryDirectory() as folder, model_file(model) as source:
        report = export_onnx(
            source,
            Path(folder) / "exported.onnx",
            precision=precision.value,
            opset=opset.value or None,
            profile=profile,
            preset=None if preset is Preset.USUAL else preset.value,
            verified=verify,
            on_step=steps.begin,
            on_progress=steps.advance,
        )
        exported = load_onnx_model(report.path.read_bytes())
        steps.finish()
    assert isinstance(exported, OnnxGeneric)
    return exported
