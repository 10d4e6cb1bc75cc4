"""Small videos with one property each, and how they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from av.container import OutputContainer
from av.container import open as open_container
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from spandrel_aethernet.video.colour import Colour, writer

SRT = "1\n00:00:00,200 --> 00:00:00,800\nfirst\n\n2\n00:00:01,000 --> 00:00:01,500\nsecond\n"


@dataclass(frozen=True)
class Clip:
    """What a clip is made with."""

    frames: int = 40
    size: tuple[int, int] = (64, 48)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    colour: Colour | None = None
    rate: Fraction = Fraction(25)
    times: Sequence[int] | None = None
    """In units of 1/1000 s; None for a constant rate."""
    group: int = 12
    options: dict[str, str] = field(default_factory=dict[str, str])
    rotation: int = 0
    sample_aspect_ratio: Fraction | None = None
    still: bool = False
    """Whether frames come in runs of four that are equal."""
    audio_start: float | None = None
    """Seconds; None for no audio."""
    extras: bool = False
    """Whether there are subtitles, chapters, an attachment, tags and one more audio stream."""


def pictures(clip: Clip) -> Iterator[NDArray[Any]]:
    """Yield the frames as RGB: blocks that move, so that no two frames are alike unless asked for."""
    width, height = clip.size
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, ((height + 7) // 8, (width + 7) // 8, 3)).astype(np.uint8)
    large = np.kron(small, np.ones((8, 8, 1), np.uint8))[:height, :width]
    for number in range(clip.frames):
        yield np.roll(large, number // 4 if clip.still else number, axis=1)


def make_clip(path: Path, clip: Clip) -> Path:
    """Encode a clip."""
    colour = clip.colour or Colour(6, False, 6, 6)
    output = open_container(str(path), "w")
    with output:
        stream = output.add_stream(clip.codec, rate=clip.rate, options=_options(clip))
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        stream.width, stream.height = clip.size
        stream.pix_fmt = clip.pixel_format
        context.gop_size = clip.group
        context.time_base = Fraction(1, 1000) if clip.times else 1 / clip.rate
        if clip.sample_aspect_ratio:
            context.sample_aspect_ratio = clip.sample_aspect_ratio
        if clip.colour:
            context.colorspace, context.color_range = colour.matrix, 2 if colour.full else 1
            context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        if clip.rotation:
            stream.set_display_rotation(clip.rotation)
        rest = list(_add_rest(output, clip, path.parent))
        write = writer(colour, clip.pixel_format)
        for packet in rest:
            output.mux(packet)
        for number, pixels in enumerate(pictures(clip)):
            frame = write(pixels)
            frame.pts = clip.times[number] if clip.times else number
            frame.time_base = context.time_base
            if not clip.colour:
                frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = 2, 0, 2, 2
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _options(clip: Clip) -> dict[str, str]:
    usual = {"crf": "12", "preset": "veryfast"} if clip.codec in ("libx264", "libx265") else {}
    if clip.codec == "libx265":
        usual["x265-params"] = "log-level=none"
    return usual | clip.options


def _add_rest(output: OutputContainer, clip: Clip, folder: Path) -> Iterator[Packet[Any]]:
    streams: list[tuple[Any, list[Packet[Any]]]] = []
    seconds = clip.frames / float(clip.rate)
    for number in range((clip.audio_start is not None) + clip.extras):
        path = folder / f"audio{number}.mka"
        _make_audio(path, clip.audio_start or 0, seconds, 440 * (number + 1))
        streams.append(_copied(output, path))
        streams[-1][0].metadata["language"] = ("eng", "deu")[number]
    if clip.extras:
        subtitles = folder / "text.srt"
        subtitles.write_text(SRT, "utf-8")
        streams.append(_copied(output, subtitles))
        output.add_attachment("font.ttf", "application/x-truetype-font", bytes(range(256)))
        output.metadata.update({"title": "A clip", "artist": "nobody"})
        output.set_chapters(
            [
                {
                    "id": 1,
                    "start": 0,
                    "end": 800,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": "one"},
                },
                {
                    "id": 2,
                    "start": 800,
                    "end": 1600,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": "two"},
                },
            ]
        )
    for stream, packets in streams:
        for packet in packets:
            packet.stream = stream
            yield packet


def _make_audio(path: Path, start: float, seconds: float, hertz: int) -> None:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

    output = open_container(str(path), "w", format="matroska")
    with output:
        stream = output.add_stream("aac", rate=48000)
        assert isinstance(stream, AudioStream)
        stream.codec_context.layout = "mono"
        wave = np.sin(np.arange(int((seconds - start) * 48000)) * 2 * np.pi * hertz / 48000) / 4
        for block in range(len(wave) // 1024):
            samples = wave[block * 1024 : (block + 1) * 1024].astype(np.float32)[np.newaxis]
            frame = AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
            frame.pts = round(start * 48000) + block * 1024
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _copied(output: OutputContainer, path: Path) -> tuple[Stream, list[Packet[Any]]]:
    source = open_container(str(path), "r")
    stream = output.add_stream_from_template(source.streams[0], opaque=True)
    packets = [packet for packet in source.demux(source.streams[0]) if packet.size]
    return stream, packets


@dataclass(frozen=True)
class Seen:
    """What a reader finds of a video stream."""

    times: tuple[Fraction | None, ...]
    frames: tuple[bytes, ...]
    """Each frame's planes, as decoded."""
    first: VideoFrame
    rate: Fraction | None
    sample_aspect_ratio: Fraction | None


def look(path: Path) -> Seen:
    """Decode a video from its beginning to its end."""
    container = open_container(str(path), "r")
    with container:
        stream = container.streams.video[0]
        found = list(container.decode(stream))
        base = Fraction(stream.time_base or 1)
        times = tuple(None if frame.pts is None else frame.pts * base for frame in found)
        planes = tuple(samples(frame) for frame in found)
        return Seen(times, planes, found[0], stream.average_rate, stream.sample_aspect_ratio)


def samples(frame: VideoFrame) -> bytes:
    """Return a planar frame's samples, plane by plane, without what pads its rows."""
    wide = 2 if frame.format.components[0].bits > 8 else 1
    rows = [
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width * wide]  # pyright: ignore[reportArgumentType]
        for plane in frame.planes
    ]
    return b"".join(plane.tobytes() for plane in rows)


def packets(path: Path, index: int) -> list[tuple[Fraction, bytes]]:
    """Return time and bytes of a stream's packets."""
    container = open_container(str(path), "r")
    with container:
        stream = container.streams[index]
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]


def nearest(frames: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Enlarge frames to twice their size, each pixel repeated."""
    for frame in frames:
        yield frame.repeat(2, axis=0).repeat(2, axis=1)


def patches(depth: int, side: int = 32) -> NDArray[Any]:
    """Return an image of patches of one colour each: the cube's corners, and between them."""
    levels = (0.0, 0.25, 0.5, 1.0)
    colours = [colour for colour in product(levels, repeat=3) if len({*colour}) < 3]
    colours = colours[: len(colours) // 8 * 8]
    image = np.array(colours).reshape(-1, 8, 3).repeat(side, axis=0).repeat(side, axis=1)
    most = 255 if depth == 8 else 65535
    return np.rint(image * most).astype(np.uint8 if depth == 8 else np.uint16)
