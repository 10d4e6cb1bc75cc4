"""The segments' packets and all else of the source, as one file."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import VideoError
from ..files import replacing
from ..progress import SILENT, Progress
from .options import Encoding, add_video
from .probe import VideoInfo
from .segments import LEAD, START_KEY, Segment, encoder_errors
from .source import open_source, packets_of
from .streams import OWN_TAGS, copy_stream, kept, lay_out

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

_HOLDS = {"matroska": "", "webm": ".mkv", "mp4": ".mkv", "mov": ".mkv"}


def check_container(info: VideoInfo, encoding: Encoding, target: Path) -> list[str]:
    """Say what of the source its target cannot hold, before any work: data and covers are left out and noted.

    The beginning of the file is written to memory once. Raises `VideoError` for any other stream, for a
    rotation and for a coding of the video that the container cannot hold.
    """
    from av.error import FFmpegError

    notes: list[str] = []
    with open_source(info.path) as source, _open_target(BytesIO(), encoding) as output:
        try:
            add_video(output, encoding)
        except ValueError as error:
            raise VideoError(f"{target}: {error}: choose another encoder, or .mkv") from error
        for other in info.streams:
            if copy_stream(output, info, source.streams[other.index], other) is not None:
                continue
            if other.cover or other.kind in ("data", "unknown"):
                notes.append(f"{other} is left out: {target.suffix} cannot hold it")
            else:
                better = _HOLDS[encoding.container]
                remedy = f"choose {better}" if better else "choose the source's own container"
                raise VideoError(f"{target.suffix} cannot hold {other} of {info.path}: {remedy}")
        if info.chapters and encoding.container == "webm":
            notes.append(f"the chapters' names are kept as far as {target.suffix} goes")
        if info.display_matrix and encoding.container == "webm":
            raise VideoError(f"{target.suffix} cannot hold that {info.path} is rotated: choose .mkv")
        try:
            output.start_encoding()
        except (FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise VideoError(f"{target} cannot hold what {info.path} holds: {reason}") from error
    return notes


def join(
    info: VideoInfo,
    encoding: Encoding,
    segments: Sequence[Segment],
    target: Path,
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> int:
    """Write the target from all segments and the source's other streams; return how many frames it has.

    `progress` begins one step of as many parts as there are segments. Raises `VideoError` if segments do not
    fit each other, and `OutputError` as `replacing` does.
    """
    from av.container import open as open_container

    progress.begin("joining", len(segments))
    shown = [[time for time, _ in _packets(segment, info)] for segment in segments]
    schedule = _Schedule([time for times in shown for time in times], info)
    first = open_container(str(_template(segments, shown)), "r")
    with (
        first,
        replacing(target, force=force) as partial,
        encoder_errors(encoding),
        open_source(info.path) as source,
        _open_target(str(partial), encoding) as output,
    ):
        template = first.streams.video[0]
        video, copied = lay_out(output, source, info, encoding, template)
        output.metadata.update(kept(source.metadata, OWN_TAGS))
        output.set_chapters(source.chapters())
        made = _video_packets(segments, shown, schedule, info, video, template, progress)
        for _, packet in heapq.merge(made, _other_packets(source, copied), key=lambda timed: timed[0]):
            output.mux(packet)
    return len(schedule.shown)


@contextmanager
def _open_target(file: str | BytesIO, encoding: Encoding) -> Generator[OutputContainer]:
    from av.container import open as open_container

    # All times stay as they are: else those of audio below 0, of a codec's delay, would move everything.
    # And Matroska's writer would draw a name for the file at random.
    options = {"avoid_negative_ts": "disabled", "fflags": "+bitexact"}
    output = open_container(
        file, "w", format=encoding.container, container_options=options, metadata_errors="surrogateescape"
    )
    with output:
        yield output


class _Schedule:
    """When packets are decoded and how long they are shown, all segments taken together."""

    def __init__(self, in_file_order: list[int], info: VideoInfo) -> None:
        self.shown = sorted(in_file_order)
        self._step = info.last_duration
        self._place = {time: place for place, time in enumerate(self.shown)}
        if len(self._place) != len(self.shown):
            raise VideoError(f"{info.path}: two segments hold the same frame: remove their folder")
        self._delay = max((n - self._place[time] for n, time in enumerate(in_file_order)), default=0)

    def decoded(self, number: int) -> int:
        """Return when the packet of this number is decoded: while the frame is shown that many before it."""
        before = number - self._delay
        return self.shown[before] if before >= 0 else self.shown[0] + before * self._step

    def duration(self, time: int) -> int:
        """Return how long the frame is shown that is shown at a time."""
        after = self._place[time] + 1
        return self.shown[after] - time if after < len(self.shown) else self._step


def _packets(segment: Segment, info: VideoInfo) -> Iterator[tuple[int, Packet[Any]]]:
    """Yield when its frame is shown, in the source's own times, and the packet."""
    from av.container import open as open_container

    if not segment.target.stat().st_size:
        return
    container = open_container(str(segment.target), "r")
    with container:
        if not container.streams.video:
            raise VideoError(f"{segment.target} is damaged: remove it, and run it again")
        start = int(container.metadata.get(START_KEY, "0")) - LEAD
        unit = info.time_base  # NUT has a finer one of its own, a whole part of it
        for packet in packets_of(container, [container.streams.video[0]]):
            yield round((packet.pts or 0) * packet.time_base / unit) + start, packet


def _template(segments: Sequence[Segment], shown: Sequence[list[int]]) -> Path:
    """Return the first segment's file that has a frame; all have the same headers."""
    for segment, times in zip(segments, shown, strict=True):
        if times:
            return segment.target
    raise VideoError("not one frame could be decoded")


def _video_packets(
    segments: Sequence[Segment],
    shown: Sequence[list[int]],
    schedule: _Schedule,
    info: VideoInfo,
    video: VideoStream,
    first: VideoStream,
    progress: Progress,
) -> Iterator[tuple[float, Packet[Any]]]:
    """Yield all segments' packets with the seconds at which they are decoded."""
    number = 0
    for segment, times in zip(segments, shown, strict=True):
        for time, packet in _packets(segment, info) if times else ():
            if packet.is_keyframe and packet.stream.codec_context.extradata != first.codec_context.extradata:
                raise VideoError(
                    f"{segment.target} was encoded in another way than the first: remove its folder"
                )
            packet.pts, packet.dts = time, schedule.decoded(number)
            packet.duration = schedule.duration(time)
            packet.time_base = info.time_base
            packet.stream = video
            yield float(packet.dts * info.time_base), packet
            number += 1
        progress.advance("joining")


def _other_packets(source: InputContainer, copied: dict[int, Stream]) -> Iterator[tuple[float, Packet[Any]]]:
    """Yield the source's packets for all copied streams with the seconds at which they are due."""
    streams = [source.streams[index] for index, stream in copied.items() if stream.type != "attachment"]
    if not streams:
        return
    due = 0.0
    for packet in packets_of(source, streams):
        time = packet.dts if packet.dts is not None else packet.pts
        if time is not None:
            due = max(due, float(time * packet.time_base))
        packet.stream = copied[packet.stream_index]
        yield due, packet
