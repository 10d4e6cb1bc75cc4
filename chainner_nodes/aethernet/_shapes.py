# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes a model is exported or built for, as inputs of a node."""

from __future__ import annotations

from enum import Enum

from api import NestedGroup
from nodes.groups import if_enum_group
from nodes.properties.inputs import EnumInput, NumberInput

from spandrel_aethernet.shapes import Profile, Span

_PUBLISHED = Profile()


class Shapes(Enum):
    """Which sizes the input may have."""

    PUBLISHED = "published"
    FIXED = "fixed"
    CUSTOM = "custom"


def shape_inputs(first: int) -> list[EnumInput[Shapes] | NestedGroup]:
    """Return the inputs, of which the first has the id `first`; `profile_of` takes their values in order."""
    heights, widths = _PUBLISHED.height, _PUBLISHED.width
    return [
        EnumInput(
            Shapes,
            "Sizes",
            type_name="AetherNetShapes",
            option_labels={
                Shapes.PUBLISHED: f"Any, up to {widths.maximum}×{heights.maximum}",
                Shapes.FIXED: "One Size",
                Shapes.CUSTOM: "From ... To",
            },
        )
        .with_id(first)
        .with_docs(
            "The sizes of the images or tiles that the model will be given. *Any* is what an ONNX model says "
            f"itself, or what the published release has: height {heights}, width {widths} "
            f"(smallest:usual:largest) and up to {_PUBLISHED.batch.maximum} at once.",
            "Larger images go through in tiles: the usual size is what an engine is optimised for.",
        ),
        if_enum_group(first, Shapes.FIXED)(
            _pixels("Height", heights.usual, "The one height of every tile."),
            _pixels("Width", widths.usual, "The one width of every tile."),
        ),
        if_enum_group(first, Shapes.CUSTOM)(
            _pixels("Smallest Side", heights.minimum, "Smaller tiles are padded."),
            _pixels("Usual Side", heights.usual, "The tile an engine is optimised for."),
            _pixels("Largest Side", heights.maximum, "No tile may be larger."),
            NumberInput("Largest Batch", default=_PUBLISHED.batch.maximum, min=1, max=256).with_docs(
                "How many tiles may run at once. More use the GPU better and take more of its memory."
            ),
        ),
    ]


def profile_of(
    shapes: Shapes, height: int, width: int, smallest: int, usual: int, largest: int, batch: int
) -> Profile:
    """Return what the inputs of `shape_inputs` say. Raises ValueError for sides that do not grow."""
    if shapes is Shapes.PUBLISHED:
        return _PUBLISHED
    if shapes is Shapes.FIXED:
        return Profile(Span(1, 1, 1), Span(height, height, height), Span(width, width, width))
    if not smallest <= usual <= largest:
        raise ValueError(
            f"Smallest Side {smallest}, Usual Side {usual} and Largest Side {largest} must grow in this order"
        )
    side = Span(smallest, usual, largest)
    return Profile(Span(1, 1, batch), side, side)


def _pixels(label: str, default: int, docs: str) -> NumberInput:
    return NumberInput(label, default=default, min=1, max=8192, unit="px").with_docs(docs)
