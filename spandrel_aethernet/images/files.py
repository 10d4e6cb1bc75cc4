"""Image files: pixels in their own depth, and the file's metadata, in and out again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyvips
from numpy.typing import NDArray

from ..errors import ImageError, OutputError
from ..files import replacing
from ..gate.files import read_file
from ..gate.limits import IMAGE_PIXELS

Pixels = NDArray[np.uint8 | np.uint16]
"""H x W x C with C = 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha)."""

_METADATA = ("exif-data", "icc-profile-data", "xmp-data", "iptc-data", "orientation")
_LOADERS = ("png", "tiff", "webp", "heif", "jpeg")
_BYTES = {"uchar": 1, "ushort": 2}
_LARGE = 2**28
"""Bytes of samples from which on a file must be large enough for them."""
_MOST_FOR_A_BYTE = 1000
"""Bytes of samples that a byte of a file can stand for: about what deflate makes of a single colour."""
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
    """One image file's content. Pixels lie as stored: the EXIF orientation is kept, not applied."""

    pixels: Pixels
    metadata: Mapping[str, tuple[int, Any]] = field(default_factory=dict[str, tuple[int, Any]])
    """EXIF, ICC, XMP, IPTC and orientation as libvips fields: name to GType and value.

    libvips keeps no EXIF but the orientation where a TIFF is read or written.
    """

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
    if path.is_dir():
        raise ImageError(f"{path} is a folder without images")
    content = read_file(path, ImageError)
    if not content:
        raise ImageError(f"{path} is empty: copy it again")
    try:
        image = pyvips.Image.new_from_buffer(content, "", access="sequential", fail_on="truncated")
        _check_kind(path, image)
        _check_size(path, image, len(content))
        types = {name: image.get_typeof(name) for name in _METADATA}
        metadata: dict[str, tuple[int, Any]] = {
            name: (gtype, image.get(name)) for name, gtype in types.items() if gtype
        }
        if image.interpretation not in ("b-w", "grey16", "rgb", "srgb", "rgb16"):
            image = _to_srgb(image)
            metadata.pop("icc-profile-data", None)
        pixels = image.numpy().reshape(image.height, image.width, image.bands)
    except pyvips.Error as error:
        raise ImageError(f"{path} cannot be read as an image: {_reason(error)}") from error
    except MemoryError as error:
        raise ImageError(f"{path} is too large for this machine's memory") from error
    if pixels.shape[2] > 4:
        raise ImageError(
            f"{path} has {pixels.shape[2]} channels: expected grey or RGB, with or without alpha"
        )
    if "icc-profile-data" in metadata:
        metadata["icc-profile-data"] = (types["icc-profile-data"], _whole_profile(image))
    return Picture(pixels, metadata)


def _check_kind(path: Path, image: pyvips.Image) -> None:
    loader = str(image.get("vips-loader")).partition("load")[0]
    if loader not in _LOADERS:
        raise ImageError(f"{path} is a file of another kind ({loader}): expected one of {', '.join(FORMATS)}")
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if pages != 1:
        raise ImageError(f"{path} has {pages} pages or frames: expected a single image")
    if image.format not in ("uchar", "ushort"):
        raise ImageError(f"{path} has samples of type {image.format}: expected whole numbers of 8 or 16 bits")


def _check_size(path: Path, image: pyvips.Image, file_bytes: int) -> None:
    """Refuse what its header alone makes large, before memory is taken for it."""
    side = f"{image.width}x{image.height}"
    if image.width * image.height > IMAGE_PIXELS.value:
        raise ImageError(
            f"{path} has {side} pixels, more than the {IMAGE_PIXELS.value} that are read of one image: "
            f"set {IMAGE_PIXELS.variable} in the environment if it is what it should be"
        )
    samples = image.width * image.height * image.bands * _BYTES[str(image.format)]
    if samples > _LARGE and samples > _MOST_FOR_A_BYTE * file_bytes:
        raise ImageError(f"{path} is damaged: its {file_bytes} bytes announce an image of {side} pixels")


def check_holds(target: Path, picture: Picture, *, side: int) -> None:
    """Raise `OutputError` if `target` is not named like an image, or its format would lose something.

    `side` is how many pixels its longer side will have when it is written.
    """
    name = format_of(target)
    if name is None:
        raise OutputError(f"{target} is not named like an image: expected one of {', '.join(FORMATS)}")
    holds = FORMATS[name]
    for lost, missing in (
        ("16 bits a sample", picture.pixels.dtype == np.uint16 and not holds.deep),
        ("transparency", picture.has_alpha and not holds.alpha),
        (f"a side of {side} pixels", side > holds.max_side),
    ):
        if missing:
            raise OutputError(f"{target}: {name} cannot hold {lost}, choose png or tiff")


def write_picture(picture: Picture, path: Path, *, force: bool = False) -> None:
    """Write a picture in the format its suffix spells, with its metadata.

    Raises `OutputError`, and then leaves nothing.
    """
    write_encoded(encode_picture(picture, path), path, force=force)


def encode_picture(picture: Picture, path: Path) -> bytes:
    """Return the bytes of a file of the format that a path's suffix spells. Raises `OutputError`."""
    check_holds(path, picture, side=max(picture.pixels.shape[:2]))
    options = FORMATS[format_of(path) or ""].options
    pixels = np.ascontiguousarray(picture.pixels)
    height, width, bands = pixels.shape
    band_format, grey, rgb = _VIPS_NAMES[pixels.dtype.name]
    image = pyvips.Image.new_from_memory(pixels.data, width, height, bands, band_format)
    image = image.copy(interpretation=grey if bands < 3 else rgb)
    for field_name, (gtype, value) in picture.metadata.items():
        image.set_type(gtype, field_name, value)
    try:
        return image.write_to_buffer(f".{format_of(path)}", **options)
    except pyvips.Error as error:
        raise OutputError(f"{path} cannot be written: {_reason(error)}") from error


def write_encoded(encoded: bytes, path: Path, *, force: bool = False) -> None:
    """Write the bytes of a file. Raises `OutputError`, and then leaves nothing."""
    with replacing(path, force=force) as partial:
        partial.write_bytes(encoded)


def _to_srgb(image: pyvips.Image) -> pyvips.Image:
    deep = image.format == "ushort"
    if image.get_typeof("icc-profile-data"):
        return image.icc_transform("srgb", embedded=True, depth=16 if deep else 8)
    return image.colourspace("rgb16" if deep else "srgb")


def _whole_profile(image: pyvips.Image) -> bytes:
    """Return an ICC profile cut to the length in its header; libpng refuses one with padding behind it."""
    profile = bytes(cast(bytes, image.get("icc-profile-data")))
    return profile[: int.from_bytes(profile[:4], "big")]


def _reason(error: pyvips.Error) -> str:
    """Return the last line of what libvips says, where it names the cause."""
    lines = str(getattr(error, "detail", "")).strip().splitlines()
    return lines[-1].strip() if lines else "it is damaged"
