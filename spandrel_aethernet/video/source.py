"""The one way in which a video from outside is opened."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import VideoError, missing_extras
from ..gate.files import read_file

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

_DEMUXERS = (
    "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "avi", "mpegts", "mpeg", "mpegvideo", "h264", "hevc", "av1",
    "obu", "ivf", "m4v", "flv", "asf", "ogg", "nut", "gif", "mxf", "wtv", "dv", "rm", "yuv4mpegpipe",
)  # fmt: skip
"""FFmpeg's names of the formats that are read; none of them can name another file or an address to read."""


@contextmanager
def open_source(path: Path) -> Generator[InputContainer]:
    """Open a video for reading while a block runs.

    Only formats that stand alone are read: playlists and scripts, which name files and addresses of their
    own, are refused. Text that is not UTF-8 is kept byte by byte. Raises `VideoError` for what is no regular
    file or no such video, `MissingPackageError` without PyAV.
    """
    with missing_extras():
        from av.container import open as open_container
        from av.error import FFmpegError
    head = read_file(path, VideoError, length=1)
    if not head:
        raise VideoError(f"{path} is empty: copy it again")
    options = {"format_whitelist": ",".join(_DEMUXERS), "protocol_whitelist": "file"}
    try:
        container = open_container(f"file:{path}", "r", options=options, metadata_errors="surrogateescape")
    except (FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(
            f"{path} cannot be read as a video ({reason}): it is a file of another kind, or was cut off "
            "before its index: copy it again"
        ) from error
    with container:
        yield container


def packets_of(container: InputContainer, streams: list[Stream]) -> Iterator[Packet[Stream]]:
    """Yield the packets of streams in the file's order; a file that breaks off or is damaged ends there."""
    from av.error import FFmpegError

    packets = container.demux(streams)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        except IndexError:  # PyAV's at the end, of streams that only began in the middle of the file
            return
        if packet.size or packet.pts is not None:  # else it tells decoders that all is over
            yield packet
