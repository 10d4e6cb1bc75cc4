"""Labelled pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_LABEL_HEIGHT = 40
_GAP = 8


def side_by_side(panels: Sequence[tuple[str, NDArray[np.uint8]]], *, zoom: int = 1) -> NDArray[np.uint8]:
    """Return one RGB picture: each H x W x 3 panel under its label, enlarged `zoom` times, not smoothed."""
    tiles = [_labelled(label, pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)) for label, pixels in panels]
    gap = np.full((tiles[0].shape[0], _GAP, 3), 255, np.uint8)
    spaced = [part for tile in tiles for part in (gap, tile)]
    return np.concatenate(spaced[1:], axis=1)


def _labelled(label: str, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    strip = Image.new("RGB", (pixels.shape[1], _LABEL_HEIGHT), "white")
    text = _text(label)
    strip.paste(text, (max(0, (strip.width - text.width) // 2), (strip.height - text.height) // 2))
    return np.concatenate([np.asarray(strip), pixels], axis=0)


def _text(label: str) -> Image.Image:
    """Draw black on white; Pillow before 10.1 only has a small bitmap font, which is enlarged."""
    try:
        font, enlarge = ImageFont.load_default(22), 1
    except TypeError:
        font, enlarge = ImageFont.load_default(), 2
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    _, top, _, bottom = (round(edge) for edge in draw.textbbox((0, 0), label + "Ag", font=font))
    right = round(draw.textlength(label, font=font))
    text = Image.new("RGB", (right, bottom - top), "white")
    ImageDraw.Draw(text).text((0, -top), label, fill="black", font=font)
    return text.resize((text.width * enlarge, text.height * enlarge), Image.Resampling.NEAREST)
