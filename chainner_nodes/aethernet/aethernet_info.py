# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AetherNet model is."""

from __future__ import annotations

from typing import Any

from nodes.properties.outputs import NumberOutput, TextOutput
from spandrel import ImageModelDescriptor

from . import utility_group
from ._model import AetherNetInput
from ._shown import ShownBool, ShownNumber, ShownText


@utility_group.register(
    schema_id="aethernet:info",
    name="AetherNet Info",
    description=[
        "Tells what an AetherNet model is and what its training left for INT8.",
        "Load Model fuses every model; Layout says what was found in the file.",
    ],
    icon="ImInfo",
    inputs=[AetherNetInput().with_docs("An AetherNet from Load Model.", hint=True)],
    outputs=[
        ShownText("Variant").with_docs(
            "The name of the published configuration: aether_small, aether_medium, aether_large; or custom."
        ),
        NumberOutput("Scale", output_type="Input0.scale").with_docs("How many times as large the output is."),
        ShownText("Layout").with_docs(
            "What was found in the file: fused or not fused, and QAT if it holds ranges of "
            "quantisation-aware training."
        ),
        ShownBool("Trained Ranges").with_docs("Whether training left ranges for INT8."),
        ShownNumber("Range Count", "uint").with_docs(
            "How many activations and weights have a trained or calibrated range."
        ),
        TextOutput("Range Points").with_docs("Which activations and weights have a range, one a line."),
    ],
    see_also=["chainner:pytorch:model_dim", "aethernet:calibrate"],
)
def aethernet_info_node(model: ImageModelDescriptor[Any]) -> tuple[str, int, str, bool, int, str]:
    """Return variant, scale, layout, whether there are trained ranges, how many ranges, and which."""
    variant, *layout = model.tags
    points = _points(model)
    trained = any(not point.startswith("calibrated") for point in points)
    return variant, model.scale, ", ".join(layout), trained, len(points), "\n".join(points)


def _points(model: ImageModelDescriptor[Any]) -> list[str]:
    ranges = model.model.trained_ranges
    if ranges is None:
        return []
    return [
        *(
            f"activation {point}: {span.minimum:g}..{span.maximum:g}"
            for point, span in ranges.activations.items()
        ),
        *(f"weight {module}: {len(scales)} channels" for module, scales in ranges.weight_scales.items()),
        *(f"calibrated {module}: {largest:g}" for module, largest in ranges.calibrated_inputs.items()),
    ]
