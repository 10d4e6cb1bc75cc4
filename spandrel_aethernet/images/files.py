"""Image files: pixels in their own depth, and everything else the file carries, in and out again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from ..atomic import replacing
from ..errors import ImageError, OutputError

Pixels = NDArray[np.uint8 | np.uint16]
"""H x W x C with C = 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha)."""

_CARRIED = ("exif-data", "icc-profile-data", "xmp-data", "iptc-data", "orientation")
_VIPS_NAMES = {"uint8": ("uchar", "b-w", "srgb"), "uint16": ("ushort", "grey16", "rgb16")}
"""numpy's name of a sample type: libvips' names for it, for grey and for RGB images of it."""


@dataclass(frozen=True)
class Format:
    """What a file format can hold, and how libvips is asked to save it."""

    deep: bool
    """Whether it holds 16 bits a sample."""
    alpha: bool
    max_side: int
    options: Mapping[str, Any]


FORMATS: Mapping[str, Format] = {
    "png": Format(True, True, 2**31 - 1, {}),
    "tiff": Format(True, True, 2**31 - 1, {"compression": "deflate", "predictor": "horizontal"}),
    "webp": Format(False, True, 16383, {"Q": 95}),
    "avif": Format(False, True, 16384, {"Q": 90, "subsample_mode": "off"}),
    "jpg": Format(False, False, 65500, {"Q": 95, "subsample_mode": "off"}),
}
_ALIASES = {"jpeg": "jpg", "tif": "tiff"}


@dataclass(frozen=True)
class Picture:
    """One image file's content. Pixels lie as stored: the EXIF orientation is carried, not applied."""

    pixels: Pixels
    carried: Mapping[str, tuple[int, Any]] = field(default_factory=dict[str, tuple[int, Any]])
    """EXIF, ICC, XMP, IPTC and orientation as libvips fields: name to GType and value."""

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.pixels.shape[2] in (2, 4)


def format_of(path: Path) -> str | None:
    """Return the key of `FORMATS` that a file's suffix spells, or None."""
    suffix = path.suffix.lower().removeprefix(".")
    name = _ALIASES.get(suffix, suffix)
    return name if name in FORMATS else None


def read_picture(path: Path) -> Picture:
    """Read one PNG, TIFF, WebP, AVIF or JPEG of 8 or 16 bits a sample.

    Palettes become RGB, single bits grey; CMYK and Lab become sRGB and leave their profile behind.
    Raises `ImageError` for anything that is not one whole still image.
    """
    if not path.is_file():
        raise ImageError(f"{path} is {'a folder without images' if path.is_dir() else 'not there'}")
    try:
        image = pyvips.Image.new_from_file(str(path), access="sequential", fail_on="truncated")
        types = {name: image.get_typeof(name) for name in _CARRIED}
        carried = {name: (gtype, image.get(name)) for name, gtype in types.items() if gtype}
        pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
        if pages != 1:
            raise ImageError(f"{path} has {pages} pages or frames: expected a single image")
        if image.interpretation not in ("b-w", "grey16", "rgb", "srgb", "rgb16"):
            image = _to_srgb(image)
            carried.pop("icc-profile-data", None)
        pixels = image.numpy()
    except pyvips.Error as error:
        raise ImageError(f"{path} cannot be read as an image: {_first_line(error)}") from error
    if pixels.dtype.name not in _VIPS_NAMES:
        raise ImageError(f"{path} has {pixels.dtype} samples: expected 8 or 16 bits")
    pixels = pixels.reshape(image.height, image.width, image.bands)
    if pixels.shape[2] > 4:
        raise ImageError(
            f"{path} has {pixels.shape[2]} channels: expected grey or RGB, with or without alpha"
        )
    return Picture(pixels, carried)


def check_holds(target: Path, picture: Picture, *, scale: int) -> None:
    """Raise `OutputError` if `target` is not named like an image, or its format would lose something.

    `scale` is how many times the picture will be enlarged before it is written.
    """
    name = format_of(target)
    if name is None:
        raise OutputError(f"{target} is not named like an image: expected one of {', '.join(FORMATS)}")
    holds, side = FORMATS[name], scale * max(picture.pixels.shape[:2])
    for lost, missing in (
        ("16 bits a sample", picture.pixels.dtype == np.uint16 and not holds.deep),
        ("transparency", picture.has_alpha and not holds.alpha),
        (f"a side of {side} pixels", side > holds.max_side),
    ):
        if missing:
            raise OutputError(f"{target}: {name} cannot hold {lost}, choose png or tiff")


def write_picture(picture: Picture, path: Path, *, force: bool = False) -> None:
    """Write a picture in the format its suffix spells, with all it carries.

    Raises `OutputError`, and then leaves nothing.
    """
    check_holds(path, picture, scale=1)
    options = FORMATS[format_of(path) or ""].options
    pixels = np.ascontiguousarray(picture.pixels)
    height, width, bands = pixels.shape
    band_format, grey, rgb = _VIPS_NAMES[pixels.dtype.name]
    image = pyvips.Image.new_from_memory(pixels.data, width, height, bands, band_format)
    image = image.copy(interpretation=grey if bands < 3 else rgb)
    for field_name, (gtype, value) in picture.carried.items():
        image.set_type(gtype, field_name, value)
    with replacing(path, force=force) as partial:
        try:
            image.write_to_file(str(partial), **options)
        except pyvips.Error as error:
            raise OutputError(f"{path} cannot be written: {_first_line(error)}") from error


def _to_srgb(image: pyvips.Image) -> pyvips.Image:
    if image.get_typeof("icc-profile-data"):
        return image.icc_transform("srgb", embedded=True)
    return image.colourspace("srgb")


def _first_line(error: pyvips.Error) -> str:
    detail = str(error.detail or error.message).strip().splitlines()
    return detail[0] if detail else "unknown reason"
