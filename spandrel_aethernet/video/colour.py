"""Between the frames of a video and RGB arrays, by the matrix and the range that the video names.

8 bits a sample go through libswscale, with bilinear chroma, accurate rounding and full chroma: measured on
patches of BT.601, 709 and 2020 in both ranges, the RGB is within 2.1 codes of the standards' formulas and
comes back within 1. Its ways between more than 8 bits and RGB are further off (10 bits limited: white becomes
65346 of 65535; full: back within 3 codes; and 4:2:0 to `rgb48le` with these flags is plainly wrong), so there
it only changes the chroma's resolution, and the matrix is applied here in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import VideoError

if TYPE_CHECKING:
    from av.video.format import VideoFormat
    from av.video.frame import VideoFrame

Rgb: TypeAlias = NDArray[Any]
"""H x W x 3, uint8 of 8 bits a sample, uint16 with values 0..65535 of more."""

RGB, BT709, UNSPECIFIED, BT601_625, BT601_525 = 0, 1, 2, 5, 6
_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.3, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087),
            9: (0.2627, 0.0593)}  # fmt: skip
"""Of red and blue in luma, by the matrix coefficients' code (ITU-T H.273, table 4)."""
_NAMES = {8: "YCgCo", 10: "BT.2020 with constant luminance", 12: "chromaticity-derived", 14: "ICtCp"}
_FLAGS = 0x2 | 0x2000 | 0x4000 | 0x40000
"""Bilinear, full chroma when it is made and when it is read, accurate rounding (`SWS_*`)."""
_BAND = 32
"""Rows that are converted at a time, so that what lies between fits a processor's cache."""
_MOST, _HD = 65535, (1024, 576)


@dataclass(frozen=True)
class Colour:
    """What the numbers of a video mean, as the codes of ITU-T H.273; 2 is unspecified."""

    matrix: int
    full: bool
    """Whether luma has all values, rather than 16..235 of 8 bits."""
    primaries: int
    transfer: int


def colour_of(frame: VideoFrame) -> tuple[Colour, bool]:
    """Return a frame's colour description, and whether some of it had to be decided.

    What is unspecified is decided as players do, by size: up to 1024x576 BT.601 (625 lines above 480 rows,
    else 525), above BT.709; limited range. FFmpeg's own converter takes BT.601 for all sizes. It is decided
    here, and written, because the larger video would be guessed otherwise. Raises `VideoError` for a matrix
    that is not supported.
    """
    large = frame.width > _HD[0] or frame.height > _HD[1]
    usual = BT709 if large else BT601_625 if frame.height > 480 else BT601_525
    matrix = RGB if frame.format.is_rgb else frame.colorspace
    if matrix == RGB and not frame.format.is_rgb:
        matrix = UNSPECIFIED
    found = Colour(
        usual if matrix == UNSPECIFIED else matrix,
        frame.format.name.startswith("yuvj") or frame.color_range == 2,
        frame.color_primaries,
        frame.color_trc,
    )
    if found.matrix not in {RGB, *_WEIGHTS}:
        name = _NAMES.get(found.matrix, f"number {found.matrix}")
        raise VideoError(f"its colour matrix is {name}: expected RGB, BT.601, BT.709 or BT.2020")
    guess = 1 if found.matrix == RGB else {1: 1, 5: 5, 6: 6, 7: 7, 9: 9}.get(found.matrix, 2)
    decided = replace(
        found,
        primaries=guess if found.primaries == UNSPECIFIED else found.primaries,
        transfer={5: 6, 9: 14}.get(guess, guess) if found.transfer == UNSPECIFIED else found.transfer,
    )
    return decided, matrix == UNSPECIFIED


def bits_of(pixel_format: VideoFormat) -> int:
    """Return how many bits a sample of a format has."""
    return max(component.bits for component in pixel_format.components)


def reader(colour: Colour, depth: int) -> Callable[[VideoFrame], Rgb]:
    """Return what turns frames into arrays: uint8 for a `depth` of 8 bits or less, else uint16."""
    from av.video.reformatter import VideoReformatter

    scaler = VideoReformatter()
    span = 2 if colour.full else 1

    def read(frame: VideoFrame) -> Rgb:
        if frame.format.name.startswith("gray"):
            frame = _with_chroma(frame)
        frame.colorspace = colour.matrix  # which libswscale goes by, and what it makes of RGB too
        if depth <= 8:
            made = scaler.reformat(
                frame, format="rgb24", src_color_range=span, dst_color_range=2, interpolation=_FLAGS,
            )  # fmt: skip
            return np.array(_plane(made, 0, np.uint8, 3))
        bits = _planar_bits(bits_of(frame.format))
        if colour.matrix == RGB:
            made = scaler.reformat(frame, format=f"gbrp{bits}le", interpolation=_FLAGS)
            green, blue, red = (_plane(made, n, np.uint16) for n in range(3))
            return _scaled(np.stack([red, green, blue], axis=2), bits)
        made = scaler.reformat(
            frame, format=f"yuv444p{bits}le",
            src_color_range=span, dst_color_range=span, interpolation=_FLAGS,
        )  # fmt: skip
        return _rgb(made, colour, bits)

    return read


def writer(colour: Colour, pixel_format: str) -> Callable[[Rgb], VideoFrame]:
    """Return what turns arrays of either type into frames of `pixel_format`, tagged with their colour."""
    from av.video.format import VideoFormat
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

    scaler = VideoReformatter()
    depth = bits_of(VideoFormat(pixel_format, 16, 16))
    span = 2 if colour.full else 1

    def write(pixels: Rgb) -> VideoFrame:
        if depth <= 8:
            source = VideoFrame.from_ndarray(np.ascontiguousarray(as_uint8(pixels)), format="rgb24")
            source.colorspace = colour.matrix
            made = scaler.reformat(
                source, format=pixel_format, src_color_range=2, dst_color_range=span, interpolation=_FLAGS,
            )  # fmt: skip
        else:
            bits = _planar_bits(depth)
            source = _planes(as_uint16(pixels), colour, bits)
            source.colorspace = colour.matrix
            made = scaler.reformat(
                source, format=pixel_format, src_color_range=span, dst_color_range=span, interpolation=_FLAGS,
            )  # fmt: skip
        made.colorspace, made.color_range = colour.matrix, span
        made.color_primaries, made.color_trc = colour.primaries, colour.transfer
        return made

    return write


def as_uint8(pixels: Rgb) -> Rgb:
    """Return an array as uint8, rounded."""
    return pixels if pixels.dtype == np.uint8 else ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def as_uint16(pixels: Rgb) -> Rgb:
    """Return an array as uint16 with 65535 for white."""
    return pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint16) * np.uint16(257)


def _planar_bits(bits: int) -> int:
    """Return the fewest bits of a planar format of FFmpeg's that holds so many."""
    return next(held for held in (9, 10, 12, 14, 16) if held >= bits)


def _plane(frame: VideoFrame, index: int, dtype: type[Any], samples: int = 1) -> NDArray[Any]:
    """Return a plane as an array that looks into the frame."""
    plane = frame.planes[index]
    lines = np.frombuffer(memoryview(cast(Any, plane)), dtype).reshape(plane.height, -1)
    rows = lines[:, : plane.width * samples]
    return rows.reshape(plane.height, plane.width, samples) if samples > 1 else rows


def _with_chroma(frame: VideoFrame) -> VideoFrame:
    """Return a grey frame with chroma of no colour; libswscale takes grey for full range whatever it says."""
    from av.video.frame import VideoFrame

    bits = bits_of(frame.format)
    dtype = np.uint8 if bits <= 8 else np.uint16
    made = VideoFrame(frame.width, frame.height, f"yuv444p{bits}le" if bits > 8 else "yuv444p")
    for index, plane in enumerate(made.planes):
        content = np.full((plane.height, plane.line_size // np.dtype(dtype).itemsize), 1 << (bits - 1), dtype)
        if index == 0:
            content[:, : frame.width] = _plane(frame, 0, dtype)
        plane.update(content.tobytes())
    return made


def _scaled(pixels: NDArray[Any], bits: int) -> Rgb:
    return np.rint(pixels.astype(np.float32) * (_MOST / (2**bits - 1))).astype(np.uint16)


def _levels(colour: Colour, bits: int) -> tuple[float, float, float, float]:
    """Return the code of black, the codes from it to white, the code of no chroma, and chroma's codes."""
    if colour.full:
        return 0, 2**bits - 1, 2 ** (bits - 1), 2**bits - 1
    step = 2 ** (bits - 8)
    return 16 * step, 219 * step, 128 * step, 224 * step


def _rgb(frame: VideoFrame, colour: Colour, bits: int) -> Rgb:
    red, blue = _WEIGHTS[colour.matrix]
    green = 1 - red - blue
    black, luma, grey, chroma = _levels(colour, bits)
    planes = [_plane(frame, index, np.uint16) for index in range(3)]
    made = np.empty((*planes[0].shape, 3), np.uint16)
    for start in range(0, made.shape[0], _BAND):
        rows = slice(start, start + _BAND)
        y, cb, cr = (_floats(plane[rows]) for plane in planes)
        y = (y - black) * (_MOST / luma)
        cb = (cb - grey) * (2 * (1 - blue) * _MOST / chroma)
        cr = (cr - grey) * (2 * (1 - red) * _MOST / chroma)
        of_green = y - (blue / green) * cb - (red / green) * cr
        for channel, values in enumerate((y + cr, of_green, y + cb)):
            made[rows, :, channel] = np.rint(np.clip(values, 0, _MOST))
    return made


def _planes(pixels: Rgb, colour: Colour, bits: int) -> VideoFrame:
    """Return pixels as a frame with 4:4:4 chroma, or of planar RGB."""
    from av.video.frame import VideoFrame

    height, width, _ = pixels.shape
    frame = VideoFrame(width, height, f"gbrp{bits}le" if colour.matrix == RGB else f"yuv444p{bits}le")
    lines = [plane.line_size // 2 for plane in frame.planes]
    made = [np.zeros((height, line), np.uint16) for line in lines]
    most = 2**bits - 1
    for start in range(0, height, _BAND):
        rows = slice(start, start + _BAND)
        r, g, b = (_floats(pixels[rows, :, channel]) * (1 / _MOST) for channel in range(3))
        if colour.matrix == RGB:
            values = [channel * most for channel in (g, b, r)]
        else:
            red, blue = _WEIGHTS[colour.matrix]
            black, luma, grey, chroma = _levels(colour, bits)
            y = red * r + (1 - red - blue) * g + blue * b
            values = [
                y * luma + black,
                (b - y) * np.float32(chroma / (2 * (1 - blue))) + grey,
                (r - y) * np.float32(chroma / (2 * (1 - red))) + grey,
            ]
        for plane, value in zip(made, values, strict=True):
            plane[rows, :width] = np.rint(np.clip(value, 0, most))
    for plane, content in zip(frame.planes, made, strict=True):
        plane.update(content.tobytes())
    return frame


def _floats(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32)
