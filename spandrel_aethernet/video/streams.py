"""The streams of a target: the enlarged one, and all else of the source as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import Encoding, set_colour
from .probe import OtherStream, VideoInfo
from .source import open_source, packets_of

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

OWN_TAGS = ("encoder", "major_brand", "minor_version", "compatible_brands", "duration", "handler_name")
"""What each container's writer says for itself, so that the source's would be wrong."""
_OF_OLD_PACKETS = ("bps", "number_of_", "_statistics", "duration", "encoder", "rotate")
"""How tags begin that tell of the packets of the video as it was."""
_COVERS = {"mjpeg": "jpeg"}
"""What pictures are called elsewhere, where it is not FFmpeg's name."""
_WITHOUT_COVER = ("mov", "webm")


def lay_out(
    output: OutputContainer, source: InputContainer, info: VideoInfo, encoding: Encoding, made: VideoStream
) -> tuple[VideoStream, dict[int, Stream]]:
    """Add all streams in the source's order; return the enlarged one, and those copied by their old index."""
    copied: dict[int, Stream] = {}
    others = {other.index: other for other in info.streams}
    video = made
    for stream in source.streams:
        if stream.index != info.stream:
            added = copy_stream(output, info, stream, others[stream.index])
            if added is not None:
                copied[stream.index] = added
            continue
        video = output.add_stream_from_template(made, opaque=True)
        video.time_base = info.time_base
        set_colour(video, encoding.colour)
        if encoding.container in ("mp4", "mov") and made.codec_context.codec.canonical_name == "hevc":
            video.codec_context.codec_tag = "hvc1"  # what Apple's players want
        if encoding.sample_aspect_ratio:
            video.codec_context.sample_aspect_ratio = encoding.sample_aspect_ratio
        video.codec_context.framerate = encoding.rate
        if info.display_matrix:
            video.set_display_matrix(info.display_matrix)
        video.metadata.update(kept(stream.metadata, (*OWN_TAGS, *_OF_OLD_PACKETS)))
        video.disposition = stream.disposition
    return video, copied


def copy_stream(
    output: OutputContainer, info: VideoInfo, stream: Stream, other: OtherStream
) -> Stream | None:
    """Add a stream as it is, or return None if the container cannot hold it."""
    from av.stream import AttachmentStream

    container = output.format.name
    if isinstance(stream, AttachmentStream) or (other.cover and container == "matroska"):
        if container != "matroska":
            return None
        name = stream.metadata.get("filename") or f"cover.{_COVERS.get(other.codec, other.codec)}"
        kind = stream.metadata.get("mimetype") or f"image/{_COVERS.get(other.codec, other.codec)}"
        content = stream.data if isinstance(stream, AttachmentStream) else _cover(info, other)
        return output.add_attachment(name, kind, content)
    if container in _WITHOUT_COVER and other.cover:
        return None  # its writer would drop it without a word
    if container in ("matroska", "webm") and other.kind in ("data", "unknown"):
        return None
    try:
        added = output.add_stream_from_template(stream, opaque=True)
    except (ValueError, AttributeError):
        return None
    added.time_base = stream.time_base
    added.metadata.update(kept(stream.metadata, OWN_TAGS))
    added.disposition = stream.disposition
    return added


def _cover(info: VideoInfo, other: OtherStream) -> bytes:
    with open_source(info.path) as source:
        return next((bytes(packet) for packet in packets_of(source, [source.streams[other.index]])), b"")


def kept(tags: dict[str, str], without: tuple[str, ...]) -> dict[str, str]:
    """Return tags whose names do not begin with any of some."""
    return {name: value for name, value in tags.items() if not name.lower().startswith(without)}
