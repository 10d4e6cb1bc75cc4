"""Pixels and image files to test with."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from spandrel_aethernet.data import half_size
from spandrel_aethernet.images.files import FORMATS, Picture, Pixels, read_picture, write_picture

ICC: bytes = cast(Any, ImageCms).ImageCmsProfile(cast(Any, ImageCms).createProfile("sRGB")).tobytes()


def photograph(height: int, width: int, *, name: str = "astronaut") -> NDArray[np.uint8]:
    """Return the middle of a bundled half-size photograph, H x W x 3."""
    pixels = read_picture(half_size(name)).pixels
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width].astype(np.uint8)


def opened(path: Path) -> Image.Image:
    """Open an image as Pillow sees it, with its pixels not loaded yet."""
    image: Image.Image = Image.open(BytesIO(path.read_bytes()))
    return image


def upright(path: Path) -> Image.Image:
    """Return an image turned as its EXIF orientation says; loading a TIFF turns it already."""
    image = opened(path)
    image.load()
    return image if image.format == "TIFF" else ImageOps.exif_transpose(image)


def kind_of_picture(kind: str, height: int = 20, width: int = 31) -> Pixels:
    """Return part of a photograph as `grey8`, `greya8`, `rgb8`, `rgba8`, `grey16` … `rgba16`."""
    colour, depth = kind.rstrip("0123456789"), kind.lstrip("abcdefghijklmnopqrstuvwxyz")
    rgb = photograph(height, width)
    parts = [rgb if colour.startswith("rgb") else rgb[:, :, :1]]
    if colour.endswith("a"):
        ramp = np.linspace(0, 255, width).astype(np.uint8)
        parts.append(np.broadcast_to(ramp[None, :, None], (height, width, 1)))
    pixels = np.concatenate(parts, axis=2)
    return (
        pixels
        if depth == "8"
        else np.where(pixels < 255, pixels * np.uint16(257) + np.uint16(13), np.uint16(65535))
    )


Image.init()
PILLOW_READS = [name for name in FORMATS if f".{name}" in Image.registered_extensions()]
"""Formats that can be looked at with Pillow too; AVIF is among them from Pillow 11.3 on."""

KINDS = [f"{colour}{depth}" for colour in ("grey", "greya", "rgb", "rgba") for depth in ("8", "16")]


def with_metadata(pixels: Pixels, *, orientation: int = 6) -> Picture:
    """Return a picture with an ICC profile and EXIF that says who made it and which way is up."""
    image = pyvips.Image.black(1, 1)
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Make", "Camera Maker (Camera Maker, ASCII, 13)")
    exif = pyvips.Image.new_from_buffer(image.jpegsave_buffer(), "").get("exif-data")
    return Picture(
        pixels,
        {
            "exif-data": (pyvips.GValue.blob_type, exif),
            "orientation": (pyvips.GValue.gint_type, orientation),
            "icc-profile-data": (pyvips.GValue.blob_type, ICC),
        },
    )


def save(path: Path, kind: str = "rgb8") -> Path:
    """Write a picture of a kind, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(Picture(kind_of_picture(kind)), path)
    return path
