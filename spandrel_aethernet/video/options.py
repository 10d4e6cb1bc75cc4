"""How a video is encoded, and whether its encoder and its container can do that."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError, VideoError, missing_extras
from .colour import BT709, RGB, Colour
from .pixel_format import choose_pixel_format, format_named
from .probe import VideoInfo
from .processor import has_avx512

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

CONTAINERS: Mapping[str, str] = {
    ".mkv": "matroska", ".webm": "webm", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"
}  # fmt: skip
"""Suffixes and FFmpeg's names of the containers that are written; others lose times, chapters or rotation."""
SEGMENT_FRAMES = 240
_THREADS = 4
"""Of every encoder: what x264 and x265 make depends on how many they have, so the machine does not decide."""
_QUALITY = {
    "libx264": ("crf", 17), "libx265": ("crf", 18), "libsvtav1": ("crf", 20), "libvpx-vp9": ("crf", 20),
    "h264_nvenc": ("cq", 19), "hevc_nvenc": ("cq", 20), "av1_nvenc": ("cq", 24),
    "h264_qsv": ("global_quality", 19), "hevc_qsv": ("global_quality", 20), "av1_qsv": ("global_quality", 24),
}  # fmt: skip
"""What encoders call constant quality, and its default here: finer than their own."""
_FIXED = {
    "libvpx-vp9": {"b": "0"},  # else its quality is bounded by a bit rate
    "h264_nvenc": {"rc": "vbr", "b": "0"}, "hevc_nvenc": {"rc": "vbr", "b": "0"},
    "av1_nvenc": {"rc": "vbr", "b": "0"},
}  # fmt: skip
_PARAMETERS = {"libx265": ["log-level=none"]}
_SAME_BYTES = "asm=AVX2"
"""With AVX-512, what x264 in PyAV 18.1 makes of the same frames differs from run to run, with one thread
too; not without its macroblock tree, nor with AVX2 (tests/video/test_encoders.py)."""


@dataclass(frozen=True)
class VideoOptions:
    """What a user may choose, such as `VideoOptions(crf=20, preset="slow")`.

        options = VideoOptions(codec="libx265", pix_fmt="yuv420p10le")

    None is decided by the source and the target; what cannot be is refused by `plan_encoding`.
    """

    codec: str | None = None
    """FFmpeg's name of an encoder: `libx264`, `libx265`, `libsvtav1`, `hevc_nvenc`, `ffv1` …"""
    crf: float | None = None
    """Constant quality in the encoder's scale, smaller is better: crf, NVENC's cq, QSV's global_quality."""
    preset: str | None = None
    pix_fmt: str | None = None
    """FFmpeg's name of a pixel format, such as `yuv420p10le`."""
    encoder_options: tuple[tuple[str, str], ...] = ()
    """Further options of the encoder by FFmpeg's names."""
    segment_frames: int = SEGMENT_FRAMES
    """Frames of a segment at least: what a killed run has to do again at most, but for long groups."""


@dataclass(frozen=True)
class Encoding:
    """How frames become packets, all decided; it can be pickled."""

    codec: str
    pixel_format: str
    width: int
    height: int
    rate: Fraction
    colour: Colour
    sample_aspect_ratio: Fraction | None
    options: tuple[tuple[str, str], ...]
    container: str
    """FFmpeg's name of the target's format."""


def plan_encoding(
    info: VideoInfo, target: Path, options: VideoOptions, size: tuple[int, int]
) -> tuple[Encoding, list[str]]:
    """Decide how a video is encoded at `size` (width, height), and return with it what a user should know.

    8 bits a sample become H.264 (`libx264`), more HEVC (`libx265`), of a `.webm` AV1 (`libsvtav1`). Depth and
    chroma resolution are the source's as far as the encoder has them; an odd side makes 4:4:4 of what has
    less chroma. The encoder is opened once. Raises `OutputError` for a target of another kind, `VideoError`
    for an encoder that is unknown, takes no frames from memory or cannot be opened here with its options, and
    for a pixel format that it does not have, that has fewer bits than the source without being asked for or
    fewer than 10 of HDR, or that the size does not fit.
    """
    with missing_extras():
        from av.codec.codec import Codec, UnknownCodecError
    container = CONTAINERS.get(target.suffix.lower())
    if container is None:
        raise OutputError(
            f"{target} is not named like a video that can be written: expected one of {', '.join(CONTAINERS)}"
        )
    name = options.codec or (
        "libsvtav1" if container == "webm" else "libx264" if info.depth <= 8 else "libx265"
    )
    try:
        codec = Codec(name, "w")
    except UnknownCodecError as error:
        raise VideoError(f"{name!r} is no encoder of this FFmpeg: libx264 and libx265 are") from error
    formats = codec.video_formats if codec.type == "video" else None
    if not formats:
        raise VideoError(f"{name} is no video encoder, or takes frames of a device only: choose another")
    notes: list[str] = []
    pixel_format = choose_pixel_format(
        info, options.pix_fmt, name, [each.name for each in formats], size, notes
    )
    encoding = Encoding(
        codec=name,
        pixel_format=pixel_format,
        width=size[0],
        height=size[1],
        rate=info.rate,
        colour=_written(info.colour, pixel_format),
        sample_aspect_ratio=info.sample_aspect_ratio,
        options=tuple(_encoder_options(info, options, name, notes).items()),
        container=container,
    )
    _check_opens(encoding)
    return encoding, notes


def add_video(output: OutputContainer, encoding: Encoding) -> VideoStream:
    """Add the stream of an encoder to a container; its times are frame numbers in 1 / `encoding.rate`.

    Raises ValueError if the container cannot hold its coding.
    """
    from av.video.stream import VideoStream

    _quieten()
    stream = output.add_stream(encoding.codec, rate=encoding.rate, options=dict(encoding.options))
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    stream.width, stream.height, stream.pix_fmt = encoding.width, encoding.height, encoding.pixel_format
    context.time_base = 1 / encoding.rate
    context.thread_count = _THREADS
    if encoding.sample_aspect_ratio:
        context.sample_aspect_ratio = encoding.sample_aspect_ratio
    set_colour(stream, encoding.colour)
    return stream


def segment_format(encoding: Encoding) -> str:
    """Return FFmpeg's name of the container that holds a segment's packets until they are joined."""
    from av.container import open as open_container

    output = open_container(BytesIO(), "w", format="nut")
    try:
        add_video(output, encoding)
    except ValueError:
        return "mov"
    return "nut"


def set_colour(stream: VideoStream, colour: Colour) -> None:
    """Tag a stream with the meaning of its numbers."""
    context = stream.codec_context
    context.colorspace, context.color_range = colour.matrix, 2 if colour.full else 1
    context.color_primaries, context.color_trc = colour.primaries, colour.transfer


def _written(colour: Colour, pixel_format: str) -> Colour:
    """Return the colour description of what is written; RGB in another form becomes BT.709."""
    if format_named(pixel_format).is_rgb:
        return replace(colour, matrix=RGB, full=True)
    return replace(colour, matrix=BT709, full=False) if colour.matrix == RGB else colour


def _encoder_options(
    info: VideoInfo, options: VideoOptions, encoder: str, notes: list[str]
) -> dict[str, str]:
    made = dict(_FIXED.get(encoder, {}))
    if encoder in _QUALITY:
        name, usual = _QUALITY[encoder]
        made[name] = f"{usual if options.crf is None else options.crf:g}"
    elif options.crf is not None:
        raise VideoError(f"{encoder} has no constant quality that is known here: give its options by name")
    if options.preset is not None:
        made["preset"] = options.preset
    made.update(_hdr_options(info, encoder, notes))
    for name, value in options.encoder_options:
        joined = name.endswith("-params") and name in made
        made[name] = f"{made[name]}:{value}" if joined else value
    return made


def _hdr_options(info: VideoInfo, encoder: str, notes: list[str]) -> dict[str, str]:
    """Return what tells an encoder of the screen that HDR was made on, and of its brightest light."""
    parameters = list(_PARAMETERS.get(encoder, []))
    if encoder == "libx264" and has_avx512():
        parameters.append(_SAME_BYTES)
    if info.mastering:
        mastered = [Fraction(*pair) for pair in zip(info.mastering[::2], info.mastering[1::2], strict=True)]
        red, green, blue, white = (mastered[n : n + 2] for n in (0, 2, 4, 6))
        least, most = mastered[8], mastered[9]
        if encoder == "libsvtav1":
            points = (("G", green), ("B", blue), ("R", red), ("WP", white))
            text = "".join(f"{name}({float(x):.5f},{float(y):.5f})" for name, (x, y) in points)
            parameters.append(f"mastering-display={text}L({float(most):.4f},{float(least):.4f})")
        else:
            points = (("G", green), ("B", blue), ("R", red), ("WP", white))
            text = "".join(f"{name}({round(x * 50000)},{round(y * 50000)})" for name, (x, y) in points)
            name = "mastering-display" if encoder == "libx264" else "master-display"
            parameters.append(f"{name}={text}L({round(most * 10000)},{round(least * 10000)})")
    if info.light:
        name = {"libx264": "cll", "libsvtav1": "content-light"}.get(encoder, "max-cll")
        parameters.append(f"{name}={info.light[0]},{info.light[1]}")
    holder = {"libx264": "x264-params", "libx265": "x265-params", "libsvtav1": "svtav1-params"}.get(encoder)
    if holder is None:
        if parameters:
            notes.append(f"{encoder} is told nothing of the screen that the HDR was made on")
        return {}
    return {holder: ":".join(parameters)} if parameters else {}


def _check_opens(encoding: Encoding) -> None:
    """Open the encoder once, so that what it refuses is said before any work."""
    from av.codec.context import CodecContext
    from av.error import FFmpegError
    from av.video.codeccontext import VideoCodecContext

    _quieten()
    context = CodecContext.create(encoding.codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = encoding.width, encoding.height, encoding.pixel_format
    context.framerate, context.time_base = encoding.rate, 1 / encoding.rate
    context.options = dict(encoding.options)
    context.thread_count = _THREADS
    try:
        context.open()
    except (FFmpegError, ValueError) as error:
        said = ", ".join(f"{name}={value}" for name, value in encoding.options) or "no options"
        reason = getattr(error, "strerror", None) or error
        raise VideoError(
            f"{encoding.codec} cannot be opened here for {encoding.width}x{encoding.height} pixels of "
            f"{encoding.pixel_format} with {said} ({reason}): its device or driver may not "
            "be there, or it has no such value of an option"
        ) from error


def _quieten() -> None:
    """Let SVT-AV1 write errors only; it writes to stderr by itself, whatever FFmpeg is told."""
    os.environ.setdefault("SVT_LOG", "1")
