"""Frames to RGB and back, for every matrix and range: against the standards' formulas and FFmpeg's own."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spandrel_aethernet.errors import VideoError
from spandrel_aethernet.video.colour import Colour, as_uint8, as_uint16, colour_of, reader, writer

from .clips import patches

pytest.importorskip("av")

from av.filter import Graph
from av.video.frame import VideoFrame

SIDE = 32
WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""Of red and blue: ITU-R BT.709, 601 and 2020."""
FORMATS = {8: ("yuv420p", "yuv422p", "yuv444p", "nv12"), 10: ("yuv420p10le", "yuv422p10le", "yuv444p10le")}
EVERY = pytest.mark.parametrize(
    ("matrix", "full", "depth", "pixel_format"),
    [
        (matrix, full, depth, name)
        for matrix in WEIGHTS
        for full in (False, True)
        for depth, names in FORMATS.items()
        for name in names
    ],
)


def centres(image: NDArray[Any], side: int) -> NDArray[np.float64]:
    """Return the pixel in the middle of each patch."""
    return image[side // 2 :: side, side // 2 :: side].astype(np.float64)


def plane(frame: VideoFrame, index: int) -> NDArray[Any]:
    from spandrel_aethernet.video import colour

    deep = frame.format.components[0].bits > 8
    return colour._plane(frame, index, np.uint16 if deep else np.uint8)  # pyright: ignore[reportPrivateUsage]


def formula(image: NDArray[Any], matrix: int, *, full: bool, depth: int) -> list[NDArray[np.float64]]:
    """Return the codes of Y, Cb and Cr as the recommendations write them."""
    red, blue = WEIGHTS[matrix]
    r, g, b = np.moveaxis(image / (255 if image.dtype == np.uint8 else 65535), 2, 0)
    y = red * r + (1 - red - blue) * g + blue * b
    cb, cr = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    step, most = 2 ** (depth - 8), 2**depth - 1
    if full:
        return [np.clip(np.rint(v), 0, most) for v in (y * most, *(c * most + 128 * step for c in (cb, cr)))]
    return [np.rint((219 * y + 16) * step), *(np.rint((224 * c + 128) * step) for c in (cb, cr))]


@EVERY
def test_what_is_written_is_what_the_recommendation_says(
    matrix: int, full: bool, depth: int, pixel_format: str
) -> None:
    image = patches(depth, SIDE)
    frame = writer(Colour(matrix, full, 1, 1), pixel_format)(image)
    assert (frame.colorspace, frame.color_range) == (matrix, 2 if full else 1)
    wanted = formula(centres(image, SIDE).astype(image.dtype), matrix, full=full, depth=depth)
    made = centres(plane(frame, 0), SIDE)
    assert np.abs(made - wanted[0]).max() <= 1
    if pixel_format != "nv12":
        across = SIDE * frame.planes[1].width // frame.width
        down = SIDE * frame.planes[1].height // frame.height
        for index in (1, 2):
            chroma = plane(frame, index)[down // 2 :: down, across // 2 :: across]
            assert np.abs(chroma - wanted[index]).max() <= 1


@EVERY
def test_colours_come_back_through_the_enlarging_network_within_2_codes(
    matrix: int, full: bool, depth: int, pixel_format: str
) -> None:
    colour = Colour(matrix, full, 1, 1)
    first = writer(colour, pixel_format)(patches(depth, SIDE))
    pixels = reader(colour, depth)(first)
    assert pixels.dtype == (np.uint8 if depth == 8 else np.uint16)
    again = writer(colour, pixel_format)(pixels.repeat(2, axis=0).repeat(2, axis=1))
    for index in range(len(first.planes)):
        side = SIDE * first.planes[index].height // first.height
        wide = (
            SIDE * first.planes[index].width // first.width * (2 if pixel_format == "nv12" and index else 1)
        )
        before = plane(first, index)
        after = plane(again, index)
        across = min(wide, SIDE * before.shape[1] // first.width)
        moved = np.abs(
            after[side :: 2 * side, across :: 2 * across].astype(int)
            - before[side // 2 :: side, across // 2 :: across]
        )
        assert moved.max() <= 2


@EVERY
def test_rgb_is_ffmpegs_own_within_2_codes_of_8_bits(
    matrix: int, full: bool, depth: int, pixel_format: str
) -> None:
    colour = Colour(matrix, full, 1, 1)
    frame = writer(colour, pixel_format)(patches(depth, SIDE))
    ours = centres(reader(colour, depth)(frame), SIDE) / (255 if depth == 8 else 65535)
    graph = Graph()
    names = {1: "bt709", 6: "bt601", 9: "bt2020"}
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    scale = graph.add(
        "scale",
        f"in_color_matrix={names[matrix]}:in_range={'pc' if full else 'tv'}:out_range=pc:"
        "flags=bicubic+accurate_rnd+full_chroma_int",
    )
    wanted = graph.add("format", "rgb24" if depth == 8 else "gbrp16le")
    graph.link_nodes(source, scale, wanted, graph.add("buffersink")).configure()
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    graph.push(frame)
    theirs = graph.pull()
    assert isinstance(theirs, VideoFrame)
    own = centres(theirs.to_ndarray(), SIDE) / (255 if depth == 8 else 65535)
    assert np.abs(ours - own).max() <= 2 / 255  # of 10 bits it makes white 65346 of 65535
    assert (
        np.abs(ours - centres(patches(depth, SIDE), SIDE) / (255 if depth == 8 else 65535)).max() <= 2.1 / 255
    )


@pytest.mark.parametrize("pixel_format", ["gbrp", "rgb24", "bgr0", "gbrp10le", "rgb48le"])
def test_rgb_stays_as_it_is(pixel_format: str) -> None:
    depth = 16 if "48" in pixel_format else 10 if "10" in pixel_format else 8
    image = patches(8 if depth == 8 else 10, 8)
    colour = Colour(0, True, 1, 13)
    back = reader(colour, depth)(writer(colour, pixel_format)(image))
    assert np.abs(back.astype(int) - image).max() <= (0 if depth in (8, 16) else 65535 / 1023 / 2 + 1)


@pytest.mark.parametrize("pixel_format", ["gray", "gray10le"])
def test_grey_is_read_in_its_range(pixel_format: str) -> None:
    depth = 10 if "10" in pixel_format else 8
    frame = VideoFrame(32, 16, pixel_format)
    content = np.full(
        (16, frame.planes[0].line_size // (depth // 8 if depth == 8 else 2)), 235 << (depth - 8)
    )
    frame.planes[0].update(content.astype(np.uint8 if depth == 8 else "<u2").tobytes())
    frame.color_range = 1
    pixels = reader(Colour(6, False, 6, 6), depth)(frame)
    assert np.abs(pixels.astype(int) - (255 if depth == 8 else 65535)).max() <= (1 if depth == 8 else 64)


@pytest.mark.parametrize(
    ("size", "matrix", "primaries"), [((640, 480), 6, 6), ((720, 576), 5, 5), ((1280, 720), 1, 1)]
)
def test_what_is_not_said_is_decided_by_size(size: tuple[int, int], matrix: int, primaries: int) -> None:
    frame = VideoFrame(*size, "yuv420p")
    frame.colorspace, frame.color_primaries, frame.color_trc = 2, 2, 2
    colour, decided = colour_of(frame)
    assert (colour.matrix, colour.full, colour.primaries) == (matrix, False, primaries)
    assert decided


def test_a_matrix_that_is_none_is_refused() -> None:
    frame = VideoFrame(64, 48, "yuv420p10le")
    frame.colorspace = 14
    with pytest.raises(VideoError, match="its colour matrix is ICtCp: expected RGB"):
        colour_of(frame)


def test_depths_change_by_rounding() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert np.array_equal(as_uint8(as_uint16(every)), every)
    assert as_uint16(every).max() == 65535
    assert as_uint8(np.array([128, 129], np.uint16)).tolist() == [0, 1]
