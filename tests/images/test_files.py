"""Image files in and out: every kind of pixel, all their metadata, everything that is wrong with them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from spandrel_aethernet.data import original
from spandrel_aethernet.errors import ImageError, OutputError
from spandrel_aethernet.images.files import Picture, read_picture, write_picture

from .pictures import ICC, KINDS, PILLOW_READS, kind_of_picture, opened, photograph, with_metadata


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_pixel_comes_back_exactly(tmp_path: Path, kind: str, suffix: str) -> None:
    pixels = kind_of_picture(kind)
    path = tmp_path / f"picture.{suffix}"
    write_picture(Picture(pixels), path)
    again = read_picture(path).pixels
    assert again.dtype == pixels.dtype
    assert np.array_equal(again, pixels)


@pytest.mark.parametrize("name", PILLOW_READS)
def test_exif_orientation_and_icc_profile_are_kept(tmp_path: Path, name: str) -> None:
    path, copy = tmp_path / f"first.{name}", tmp_path / f"second.{name}"
    write_picture(with_metadata(photograph(24, 40)), path)
    write_picture(read_picture(path), copy)
    image = opened(copy)
    assert image.getexif()[0x112] == 6
    assert image.info["icc_profile"] == ICC
    if name != "tiff":  # there the tag may be kept in the EXIF block, which Pillow does not read
        assert str(image.getexif()[0x10F]).strip("\0 ") == "Camera Maker"


@pytest.mark.parametrize("name", ["jpg", "webp", "avif"])
def test_lossy_formats_stay_near(tmp_path: Path, name: str) -> None:
    pixels = photograph(64, 64)
    path = tmp_path / f"picture.{name}"
    write_picture(Picture(pixels), path)
    error = read_picture(path).pixels.astype(float) - pixels
    assert np.sqrt(np.mean(error**2)) < 5


def test_palettes_bits_and_cmyk_become_what_a_network_takes(tmp_path: Path) -> None:
    image = Image.fromarray(photograph(20, 30))
    for mode, suffix, shape in (
        ("P", "png", (20, 30, 3)),
        ("1", "png", (20, 30, 1)),
        ("CMYK", "jpg", (20, 30, 3)),
    ):
        path = tmp_path / f"{mode}.{suffix}"
        image.convert(mode).save(path)
        picture = read_picture(path)
        assert (picture.pixels.shape, picture.pixels.dtype) == (shape, np.uint8)
        assert picture.pixels.std() > 10


def png(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def animation(path: Path) -> None:
    frames = [Image.fromarray(photograph(16, 16, name=name)) for name in ("astronaut", "rocket")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.png", None, "cannot be read: No such file"),
        ("empty.png", b"", "is empty"),
        ("text.png", b"hello", "cannot be read as an image"),
        ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "of another kind"),
        ("zero.png", png(0, 5), "cannot be read as an image"),
        ("truncated.png", original("rocket").read_bytes()[:40_000], "cannot be read as an image"),
    ],
)
def test_unreadable_images_are_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=f"{name}.*{message}"):
        read_picture(path)


def test_images_of_another_nature_are_named(tmp_path: Path) -> None:
    animation(tmp_path / "frames.webp")
    with pytest.raises(ImageError, match=r"frames.webp has 2 pages or frames"):
        read_picture(tmp_path / "frames.webp")
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(
        ImageError, match=r"float.tif has samples of type float: expected whole numbers of 8 or 16 bits"
    ):
        read_picture(tmp_path / "float.tif")
    with pytest.raises(ImageError, match="a folder without images"):
        read_picture(tmp_path)


@pytest.mark.parametrize(
    ("kind", "name", "lost"),
    [("rgb16", "jpg", "16 bits"), ("rgb16", "webp", "16 bits"), ("rgba8", "jpg", "transparency")],
)
def test_a_format_that_would_lose_something_is_refused(
    tmp_path: Path, kind: str, name: str, lost: str
) -> None:
    with pytest.raises(OutputError, match=f"{name} cannot hold {lost}"):
        write_picture(Picture(kind_of_picture(kind)), tmp_path / f"picture.{name}")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists and is kept"):
        write_picture(Picture(photograph(4, 4)), path)
    assert path.read_bytes() == b"precious"
    write_picture(Picture(photograph(4, 4)), path, force=True)
    assert read_picture(path).pixels.shape == (4, 4, 3)


def test_deep_cmyk_stays_deep(tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(np.full((4, 5, 4), 20_000, np.uint16)).copy(interpretation="cmyk")
    image.tiffsave(str(tmp_path / "deep.tif"))
    assert read_picture(tmp_path / "deep.tif").pixels.dtype == np.uint16


def test_padding_behind_a_profile_is_cut_off(tmp_path: Path) -> None:
    picture = with_metadata(photograph(8, 8))
    gtype, profile = picture.metadata["icc-profile-data"]
    padded = Picture(picture.pixels, {"icc-profile-data": (gtype, profile + b"\0\0\0\0")})
    write_picture(padded, tmp_path / "padded.tif")
    again = read_picture(tmp_path / "padded.tif")
    assert again.metadata["icc-profile-data"][1] == ICC
    write_picture(again, tmp_path / "cut.png")
