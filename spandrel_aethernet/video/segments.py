"""A video in segments of whole groups of pictures, each enlarged and encoded by itself.

What a segment becomes depends on the source, the options and what enlarges it, not on which segments were
made before, by how many processes or on how many processors. So a job that was killed goes on with the
segments that are missing, and ends with the same frames.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from ..errors import VideoError
from ..files import replacing
from ..progress import SILENT, Progress
from .colour import Rgb, reader, writer
from .decode import frames_between
from .options import Encoding, add_video, segment_format
from .probe import VideoInfo

if TYPE_CHECKING:
    from av.packet import Packet

Upscaled: TypeAlias = Callable[[Iterator[Rgb]], Iterator[Rgb]]
"""Maps H x W x 3 arrays (uint8, or uint16 of more than 8 bits) to enlarged ones of either type, in order.

It may take some ahead of what it gives; it is given no frame twice in a row."""

SUFFIX, START_KEY = ".segment", "AETHERNET_START"
_TAGGED = {"movflags": "use_metadata_tags"}
"""So that a QuickTime file keeps tags of any name."""
LEAD = 1000
"""Where a segment file's times begin: what is decoded before the first frame is shown needs times below."""
_LONG = 4
"""How many times the least number of frames a segment may have before it is cut between key frames too."""
_MOST_CUTS = 16
"""Parts of such a segment at most, as each decodes all of it before the part."""


@dataclass(frozen=True)
class Segment:
    """A run of frames and the file that they become; it can be pickled."""

    index: int
    first: int
    """The number of its first frame in `VideoInfo.times`."""
    end: int
    """The number after its last."""
    target: Path

    @property
    def frames(self) -> int:
        """How many frames it has by the source's packets."""
        return self.end - self.first


def plan_segments(info: VideoInfo, folder: Path, *, least: int) -> list[Segment]:
    """Cut a video at key frames into segments of `least` frames or more, all but the last.

    Where a group of pictures is long, or nothing tells when frames are shown, cuts come between too.
    """
    cuts = [0]
    starts = [] if info.counted else [bisect_left(info.times, key) for key in info.keys]
    for start in starts:
        if start - cuts[-1] >= least:
            cuts.append(start)
    cuts.append(len(info.times))
    short: list[int] = []
    for first, end in pairwise(cuts):
        parts = min(_MOST_CUTS, (end - first) // least) if end - first > _LONG * least else 1
        short += [first + (end - first) * part // parts for part in range(parts)]
    return [
        Segment(index, first, end, folder / f"{index:06}{SUFFIX}")
        for index, (first, end) in enumerate(pairwise([*short, len(info.times)]))
    ]


def upscale_segment(
    segment: Segment,
    info: VideoInfo,
    encoding: Encoding,
    upscaled: Upscaled,
    *,
    progress: Progress = SILENT,
) -> int:
    """Decode a segment's frames, enlarge and encode them; its file appears whole. Return how many they were.

    A frame bit-equal to the one before is not enlarged again. `progress` is advanced once a frame, in the
    step begun last. Raises `VideoError` if the source is no more what it was, if an enlarged frame has
    another size than `encoding` or the encoder fails, and `OutputError` for what cannot be written; whatever
    `upscaled` raises passes through. Then nothing is left.
    """
    times: list[int] = []
    read = reader(info.colour, info.depth)

    def arrays() -> Iterator[Rgb]:
        for time, frame in frames_between(info, segment.first, segment.end):
            times.append(time)
            yield read(frame)

    with replacing(segment.target, force=True) as partial, encoder_errors(encoding):
        _encode(partial, info, encoding, _without_repeats(arrays(), upscaled), times, progress)
        if not times:
            partial.write_bytes(b"")  # nothing of it could be decoded, and that is known now
    return len(times)


@contextmanager
def encoder_errors(encoding: Encoding) -> Generator[None]:
    """Raise `VideoError` for what FFmpeg says, but of files and folders."""
    from av.error import FFmpegError

    try:
        yield
    except FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise VideoError(f"{encoding.codec} failed: {error.strerror or error}") from error


def _without_repeats(frames: Iterator[Rgb], upscaled: Upscaled) -> Iterator[Rgb]:
    """Yield what `upscaled` makes of frames, and again for each frame equal to the one before."""
    again: deque[int] = deque()

    def different() -> Iterator[Rgb]:
        former: Rgb | None = None
        for frame in frames:
            if former is not None and np.array_equal(frame, former):
                again[-1] += 1
                continue
            former = frame
            again.append(0)
            yield frame

    last: Rgb | None = None
    for made in upscaled(different()):
        # All that equals a frame was seen by the time that what comes after it is made.
        if last is not None:
            yield from [last] * again.popleft()
        if not again:
            raise VideoError("more frames came back than were given to be enlarged")
        last = made
        yield made
    if last is not None:
        yield from [last] * again.popleft()
    if again:
        raise VideoError(f"{len(again)} frames were not enlarged: fewer came back than were given")


def _encode(
    path: Path,
    info: VideoInfo,
    encoding: Encoding,
    frames: Iterator[Rgb],
    times: list[int],
    progress: Progress,
) -> None:
    """Encode frames, the n-th shown at `times[n]`, which is known by the time that the frame comes.

    The encoder counts frames: it need not know of a rate that varies, nor have so fine a clock. The file's
    times are relative to its first, which stands in its metadata, as NUT has none below 0. What NUT does not
    know, such as ProRes, goes into a QuickTime file.
    """
    from av.container import open as open_container

    write = writer(encoding.colour, encoding.pixel_format)
    output = open_container(str(path), "w", format=segment_format(encoding), container_options=_TAGGED)
    with output:
        stream = add_video(output, encoding)
        stream.time_base = info.time_base

        def put(packets: Sequence[Packet[Any]]) -> None:
            for packet in packets:
                output.mux(timed(packet))

        def timed(packet: Packet[Any]) -> Packet[Any]:
            number, decoded = packet.pts or 0, packet.dts or 0
            packet.pts = times[number] - times[0] + LEAD
            packet.dts = times[decoded] - times[0] + LEAD if decoded >= 0 else LEAD + decoded
            packet.time_base = info.time_base
            return packet

        for number, pixels in enumerate(frames):
            if pixels.shape != (encoding.height, encoding.width, 3):
                raise VideoError(
                    f"an enlarged frame has the shape {pixels.shape}: expected "
                    f"{(encoding.height, encoding.width, 3)}"
                )
            if not number:
                output.metadata[START_KEY] = str(times[0])
            frame = write(pixels)
            frame.pts, frame.time_base = number, 1 / encoding.rate
            put(cast("list[Packet[Any]]", stream.encode(frame)))
            progress.advance()
        if not times:
            return
        put(cast("list[Packet[Any]]", stream.encode(None)))
