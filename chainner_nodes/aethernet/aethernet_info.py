# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AetherNet model is."""

from __future__ import annotations

from typing import Any

from nodes.properties.outputs import NumberOutput, TextOutput
from spandrel import ImageModelDescriptor

from spandrel_aethernet import TrainedRanges

from . import utility_group
from ._model import AetherNetInput
from ._shown import ShownBool, ShownNumber, ShownText


@utility_group.register(
    schema_id="aethernet:info",
    name="AetherNet Info",
    description=[
        "Tells what an AetherNet model is and which ranges it has for INT8.",
        "Load Model fuses every model; Layout says what was found in the file.",
    ],
    icon="ImInfo",
    inputs=[AetherNetInput().with_docs("An AetherNet from Load Model.", hint=True)],
    outputs=[
        ShownText("Variant").with_docs(
            "The name of the published configuration, such as aether_small; or custom."
        ),
        NumberOutput("Scale", output_type="Input0.scale").with_docs("How many times as large the output is."),
        ShownText("Layout").with_docs(
            "What was found in the file: fused or not fused, and QAT if it holds ranges from "
            "quantization-aware training."
        ),
        ShownBool("Trained Ranges").with_docs(
            "Whether it has ranges for INT8 from quantization-aware training."
        ),
        ShownNumber("Range Count", "uint").with_docs(
            "How many activations and weights have a range, from QAT or calibrated."
        ),
        TextOutput("Range Points").with_docs("Which activations and weights have a range, one a line."),
    ],
    see_also=["chainner:pytorch:model_dim", "aethernet:calibrate"],
)
def aethernet_info_node(model: ImageModelDescriptor[Any]) -> tuple[str, int, str, bool, int, str]:
    """Return variant, scale, layout, whether there are ranges from QAT, how many ranges, and which."""
    variant, *layout = model.tags
    ranges: TrainedRanges = model.model.trained_ranges or TrainedRanges()
    from_qat = bool(ranges.activations or ranges.weight_scales)
    points = _points(ranges)
    return variant, model.scale, ", ".join(layout), from_qat, len(points), "\n".join(points)


def _points(ranges: TrainedRanges) -> list[str]:
    return [
        *(f"activation {point}: {seen.min:g}..{seen.max:g}" for point, seen in ranges.activations.items()),
        *(f"weight {module}: {len(scales)} channels" for module, scales in ranges.weight_scales.items()),
        *(f"calibrated {module}: {amax:g}" for module, amax in ranges.calibrated_inputs.items()),
    ]
