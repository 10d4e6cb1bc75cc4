"""The frames of one part of a video, wherever it begins."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import VideoError
from .probe import VideoInfo
from .source import open_source, packets_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


def frames_between(info: VideoInfo, first: int, end: int) -> Iterator[tuple[int, VideoFrame]]:
    """Yield time and frame of the frames numbered `first` to before `end` in `info.times`.

    A time is in units of `info.time_base`, and later than the one before. Decoding begins at the last key
    frame from which the first frame comes out, and goes on past the next one as far as frames need. What
    cannot be decoded is left out. Raises `VideoError` if frames change their size, or the file is no more
    what it was.
    """
    earliest = info.times[first] if first else None
    latest = info.times[end] if end < len(info.times) else None
    former: int | None = None
    for time, frame in _first_that_holds(info, first, end, earliest, latest):
        if (frame.width, frame.height) != (info.width, info.height):
            sizes = f"from {info.width}x{info.height} to {frame.width}x{frame.height}"
            raise VideoError(
                f"{info.path} changes its size {sizes} at "
                f"{float(time * info.time_base):.2f} s: cut it there, and enlarge the parts"
            )
        former = time if former is None else max(time, former + 1)
        yield former, frame


def _first_that_holds(
    info: VideoInfo, first: int, end: int, earliest: int | None, latest: int | None
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield the frames from the nearest key frame on, from earlier ones while the first frame is missing."""
    if info.counted or earliest is None:
        yield from _decoded(info, None, first, end, earliest, latest)
        return
    before = bisect_left(info.keys, earliest + 1)
    starts: list[int | None] = [info.keys[before - back] for back in (1, 2, 4) if before >= back]
    for start in (*starts, None):
        frames = _decoded(info, start, first, end, earliest, latest)
        begun = next(frames, None)
        if start is None or (begun and begun[0] == earliest):
            if begun:
                yield begun
            yield from frames
            return


def _decoded(
    info: VideoInfo, start: int | None, first: int, end: int, earliest: int | None, latest: int | None
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield the wanted frames, decoded from the key frame at `start`, or from the file's beginning."""
    from av.error import FFmpegError
    from av.video.stream import VideoStream

    with open_source(info.path) as container:
        stream = container.streams[info.stream]
        if not isinstance(stream, VideoStream):
            raise VideoError(f"{info.path} is no more the file that it was")
        stream.thread_type = "SLICE"  # threads of frames conceal damage now so, now so
        if start is not None:
            try:
                container.seek(start, stream=stream)
            except FFmpegError:
                return
        for count, frame in enumerate(_all_frames(container, stream)):
            if info.counted:
                if count >= end:
                    return
                if count >= first:
                    yield _counted_time(info, count), frame
            elif frame.pts is not None:  # else nobody knows where it belongs
                if latest is not None and frame.pts >= latest:
                    return
                if earliest is None or frame.pts >= earliest:
                    yield frame.pts, frame


def _all_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    from av.error import FFmpegError

    for packet in packets_of(container, [stream]):
        try:
            frames = stream.decode(packet)
        except FFmpegError:
            continue
        yield from frames
    with suppress(FFmpegError):
        yield from stream.decode(None)


def _counted_time(info: VideoInfo, number: int) -> int:
    """Return when a frame is shown by its place; those that come out beyond the packets follow evenly."""
    beyond = number - len(info.times) + 1
    return info.times[number] if beyond <= 0 else info.times[-1] + beyond * info.last_duration
