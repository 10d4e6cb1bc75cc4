"""Originals in a folder, each with the small image that a network is to enlarge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError
from ..images.files import format_of, read_picture

_ORIGINAL, _SMALL = "_hr", "_lr"
_SMALLEST = 16
"""Side in pixels from which an original can be measured."""


@dataclass(frozen=True)
class PairFiles:
    """An original and, where there is one, the small image that belongs to it."""

    original: Path
    small: Path | None = None


@dataclass(frozen=True)
class Pair:
    """Two sizes of one image: small is h x w x 3, original h·scale x w·scale x 3."""

    name: str
    small: NDArray[np.uint8]
    original: NDArray[np.uint8]


def find_pairs(folder: Path) -> list[PairFiles]:
    """Return every image at and below a folder as an original, in order of their paths.

    `NAME_lr` is not an original but the small image of the `NAME_hr` beside it. Raises `ImageError` for
    what is not a folder, or holds no image.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder} is {'not a folder' if folder.exists() else 'not there'}")
    images = sorted(path for path in folder.rglob("*") if path.is_file() and format_of(path))
    named: dict[Path | None, Path] = {path.with_suffix(""): path for path in images}
    pairs = [
        PairFiles(path, named.get(_twin(path, _ORIGINAL, _SMALL)))
        for path in images
        if _twin(path, _SMALL, _ORIGINAL) not in named
    ]
    if not pairs:
        raise ImageError(f"{folder} is a folder without images")
    return pairs


def read_pair(files: PairFiles, scale: int) -> Pair:
    """Read a pair as 8-bit RGB, transparency left out.

    Without a small image `scale` times smaller, the original is cropped on the right and at the bottom
    to a multiple of `scale` and shrunk by Pillow's BICUBIC. Raises `ImageError`.
    """
    original = _rgb8(files.original)
    height, width = (side // scale * scale for side in original.shape[:2])
    if min(height, width) < _SMALLEST:
        raise ImageError(f"{files.original} is too small to compare: expected {_SMALLEST} pixels or more")
    if files.small is not None:
        small = _rgb8(files.small)
        if (small.shape[0] * scale, small.shape[1] * scale) == original.shape[:2]:
            return Pair(files.original.name, small, original)
    original = original[:height, :width]
    shrunk = Image.fromarray(original).resize((width // scale, height // scale), Image.Resampling.BICUBIC)
    return Pair(files.original.name, np.asarray(shrunk), original)


def _twin(path: Path, ending: str, other: str) -> Path | None:
    """Return the path, without suffix, whose name ends in `other` where this one's ends in `ending`."""
    if not path.stem.endswith(ending):
        return None
    return path.with_name(path.stem.removesuffix(ending) + other)


def _rgb8(path: Path) -> NDArray[np.uint8]:
    pixels = read_picture(path).pixels
    if pixels.dtype == np.uint16:
        pixels = np.rint(pixels / 257)
    colour = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, :1].repeat(3, axis=2)
    return np.ascontiguousarray(colour, np.uint8)
