# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes a model is exported or built for, as inputs of a node."""

from __future__ import annotations

from enum import Enum

from api import NestedGroup
from nodes.groups import if_enum_group
from nodes.properties.inputs import EnumInput, NumberInput

from spandrel_aethernet.shapes import Profile, Range

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
                Shapes.PUBLISHED: f"Any, up to {widths.max}×{heights.max}",
                Shapes.FIXED: "One Size",
                Shapes.CUSTOM: "From ... To",
            },
        )
        .with_id(first)
        .with_docs(
            "The sizes of the images or tiles that the model will be given. *Any* is what an ONNX model says "
            f"itself, or what the published release has: height {heights}, width {widths} "
            f"(min:opt:max) and up to {_PUBLISHED.batch.max} at once.",
            "Larger images go through in tiles: opt is the size that an engine is optimized for.",
        ),
        if_enum_group(first, Shapes.FIXED)(
            _pixels("Height", heights.opt, "The one height of every tile."),
            _pixels("Width", widths.opt, "The one width of every tile."),
        ),
        if_enum_group(first, Shapes.CUSTOM)(
            _pixels("Smallest Side", heights.min, "Smaller tiles are padded."),
            _pixels("Usual Side", heights.opt, "The tile an engine is optimized for."),
            _pixels("Largest Side", heights.max, "No tile may be larger."),
            NumberInput("Largest Batch", default=_PUBLISHED.batch.max, min=1, max=256).with_docs(
                "How many tiles may run at once. More use the GPU better and take more of its memory."
            ),
        ),
    ]


def profile_of(
    shapes: Shapes, height: int, width: int, min_side: int, opt_side: int, max_side: int, max_batch: int
) -> Profile:
    """Return what the inputs of `shape_inputs` say. Raises ValueError for sides that do not grow."""
    if shapes is Shapes.PUBLISHED:
        return _PUBLISHED
    if shapes is Shapes.FIXED:
        return Profile(Range.only(1), Range.only(height), Range.only(width))
    if not min_side <= opt_side <= max_side:
        raise ValueError(
            f"Smallest Side {min_side}, Usual Side {opt_side} and Largest Side {max_side} must grow in this "
            "order"
        )
    side = Range(min_side, opt_side, max_side)
    return Profile(Range(1, 1, max_batch), side, side)


def _pixels(label: str, default: int, docs: str) -> NumberInput:
    return NumberInput(label, default=default, min=1, max=8192, unit="px").with_docs(docs)
