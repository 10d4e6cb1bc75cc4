"""What a video is: its picture, its colours, its times, and what else lies in the file."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import VideoError
from ..gate.limits import IMAGE_PIXELS
from ..progress import SILENT, Progress
from .colour import Colour, bits_of, colour_of
from .source import open_source, packets_of
from .times import Times, read_times

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.sidedata.sidedata import SideData
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_TRIES = 200
"""Frames to decode at most until one comes out."""


@dataclass(frozen=True)
class OtherStream:
    """A stream beside the video that is enlarged; it is copied packet by packet."""

    index: int
    kind: str
    """`video`, `audio`, `subtitle`, `attachment`, `data` or `unknown`."""
    codec: str
    """FFmpeg's name of its coding, empty where it knows none."""
    cover: bool = False
    """Whether it is one picture that players show for the file."""

    def __str__(self) -> str:
        kind = "cover picture in" if self.cover else self.kind
        return f"{kind} stream {self.index} ({self.codec or 'of unknown coding'})"


@dataclass(frozen=True)
class VideoInfo:
    """A video file as it was found; it can be pickled."""

    path: Path
    stream: int
    """The index of the stream that is enlarged: the first that is no cover picture."""
    width: int
    height: int
    sample_aspect_ratio: Fraction | None
    display_matrix: tuple[int, ...] | None
    """Rotation and mirroring as FFmpeg's nine 16.16 and 2.30 fixed-point numbers; None for none."""
    time_base: Fraction
    """Seconds of one unit of `times`."""
    rate: Fraction
    """Frames a second, on average."""
    times: tuple[int, ...]
    """When each frame is shown, in ascending order, as the packets tell."""
    keys: tuple[int, ...]
    """When the key frames are shown."""
    last_duration: int
    """How long the last frame is shown, in units of `time_base`."""
    counted: bool
    """Whether packets do not tell when their frames are shown (bare streams): frame n then has time n."""
    pixel_format: str
    depth: int
    """Bits a sample."""
    colour: Colour
    mastering: tuple[int, ...] | None
    """Of HDR: primaries, white point and luminances as the 20 numbers of 10 fractions, or None."""
    light: tuple[int, ...] | None
    """Of HDR: the most light of a pixel and of a frame's average in candela a square metre, or None."""
    interlaced: bool
    streams: tuple[OtherStream, ...]
    chapters: int
    notes: tuple[str, ...]
    """Sentences about what a user would want to know before it begins."""

    @property
    def hdr(self) -> str | None:
        """`PQ` or `HLG` by its transfer function, None for standard dynamic range."""
        return {16: "PQ", 18: "HLG"}.get(self.colour.transfer)


def probe(path: Path, *, progress: Progress = SILENT) -> VideoInfo:
    """Read a video's description, its first frame, and once all its packets.

    `progress` begins one step of 100 parts. Raises `VideoError` for a file that is no video, that holds none
    or none that can be decoded, or that announces a picture of more than `IMAGE_PIXELS`;
    `MissingPackageError` without PyAV.
    """
    with open_source(path) as container:
        stream = _main_stream(path, container)
        context = stream.codec_context
        if context.width * context.height > IMAGE_PIXELS.value:
            raise VideoError(
                f"{path} announces pictures of {context.width}x{context.height} pixels, more than the "
                f"{IMAGE_PIXELS.value} that are read of one: set {IMAGE_PIXELS.variable} in the environment "
                "if it is what it should be"
            )
        frame = _first_frame(path, container, stream)
    with open_source(path) as container:  # from the start again
        stream = _main_stream(path, container)
        times = read_times(container, stream, progress)
        return _describe(path, container, stream, frame, times)


def _main_stream(path: Path, container: InputContainer) -> VideoStream:
    """Return the first video stream that is no cover picture."""
    found = [each for each in container.streams.video if not _is_cover(each)]
    if not found:
        raise VideoError(f"{path} holds no video: {len(container.streams)} other streams")
    if cast(object, found[0].codec_context) is None:  # whatever PyAV's types say
        raise VideoError(f"{path} holds a video that this FFmpeg has no decoder for")
    return found[0]


def _is_cover(stream: Stream) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _first_frame(path: Path, container: InputContainer, stream: VideoStream) -> VideoFrame:
    from av.error import FFmpegError

    for _, packet in zip(range(_TRIES), packets_of(container, [stream]), strict=False):
        try:
            frames = stream.decode(packet)
        except FFmpegError:
            continue
        if frames:
            return frames[0]
    try:
        return stream.decode(None)[0]
    except (FFmpegError, IndexError) as error:
        raise VideoError(f"{path} holds a video of which no frame can be decoded") from error


def _describe(
    path: Path, container: InputContainer, stream: VideoStream, frame: VideoFrame, times: Times
) -> VideoInfo:
    try:
        colour, decided = colour_of(frame)
    except VideoError as error:
        raise VideoError(f"{path} cannot be enlarged: {error.message.sentence}") from error
    rate = _fraction(stream.average_rate) or _fraction(stream.guessed_rate) or Fraction(25)
    time_base = _fraction(stream.time_base) or 1 / rate
    step = times.last_duration or max(1, round(1 / (rate * time_base)))
    if times.counted and times.shown[:2] == [0, 1] and times.shown[-1] == len(times.shown) - 1:
        time_base, step = 1 / rate, 1
    side = _side_data(frame)
    return VideoInfo(
        path=path,
        stream=stream.index,
        width=frame.width,
        height=frame.height,
        sample_aspect_ratio=_fraction(stream.sample_aspect_ratio),
        display_matrix=_numbers(side.get("DISPLAYMATRIX"), 9),
        time_base=time_base,
        rate=rate.limit_denominator(1001),
        times=tuple(times.shown),
        keys=tuple(times.keys),
        last_duration=step,
        counted=times.counted,
        pixel_format=frame.format.name,
        depth=bits_of(frame.format),
        colour=colour,
        mastering=_numbers(side.get("MASTERING_DISPLAY_METADATA"), 20),
        light=_numbers(side.get("CONTENT_LIGHT_LEVEL"), 2),
        interlaced=frame.interlaced_frame,
        streams=tuple(_other(each) for each in container.streams if each.index != stream.index),
        chapters=len(container.chapters()),
        notes=tuple(_notes(path, container, stream, frame, times, decided)),
    )


def _notes(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    frame: VideoFrame,
    times: Times,
    decided: bool,
) -> Iterator[str]:
    announced = (container.duration or 0) / 1_000_000
    if announced - times.end > max(0.5, announced / 100):
        yield (
            f"{path} was cut off: it announces {announced:.1f} s and {times.end:.1f} s of it can be read, "
            "which is what is enlarged"
        )
    elif times.damaged:
        yield f"{path} is damaged: what of it can be decoded is enlarged"
    if times.counted:
        yield f"{path} does not tell when its frames are shown: they are counted, one after the other"
    if frame.interlaced_frame:
        yield (
            f"{path} is interlaced: each frame is enlarged with both its fields in it, and written as a "
            "whole picture; deinterlace it before for moving edges without combs"
        )
    if decided and not frame.format.is_rgb:
        yield f"{path} does not name its colour matrix: BT.{601 if frame.height <= 576 else 709} by its size"
    if len(frame.format.components) in (2, 4):
        yield f"{path} has transparency, which is dropped"
    if _side_data(frame).keys() & {"DOVI_METADATA", "DYNAMIC_HDR_PLUS"}:
        yield f"{path} has HDR metadata that changes from frame to frame, which is dropped"
    if stream.index != container.streams.video[0].index:
        yield f"{path}: its first video stream is a cover picture, and copied"


def _other(stream: Stream) -> OtherStream:
    context = stream.codec_context
    name = stream.name if stream.type in ("data", "attachment") else context and context.codec.canonical_name
    return OtherStream(stream.index, stream.type, name or "", _is_cover(stream))


def _side_data(frame: VideoFrame) -> dict[str, bytes]:
    found = cast("Iterable[SideData]", frame.side_data)  # a list in truth
    return {data.type.name: bytes(data) for data in found}


def _fraction(value: Fraction | None) -> Fraction | None:
    """Return a fraction of PyAV's as one of Python's, None for what is not set."""
    return Fraction(value.numerator, value.denominator) if value else None


def _numbers(content: bytes | None, count: int) -> tuple[int, ...] | None:
    if content is None or len(content) < 4 * count:
        return None
    return struct.unpack_from(f"={count}i", content)
