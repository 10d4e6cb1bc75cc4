"""Which pixel format of an encoder a video is written in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import VideoError
from .colour import bits_of
from .probe import VideoInfo

if TYPE_CHECKING:
    from av.video.format import VideoFormat


def choose_pixel_format(
    info: VideoInfo,
    wanted: str | None,
    encoder: str,
    formats: Sequence[str],
    size: tuple[int, int],
    notes: list[str],
) -> str:
    """Return the format of `formats`, an encoder's, that loses least of a video, or `wanted` if it can be.

    To `notes` goes what a user should know. Raises `VideoError`: see `plan_encoding`.
    """
    if wanted is not None and wanted not in formats:
        raise VideoError(f"{encoder} has no pixel format {wanted!r}: expected one of {', '.join(formats)}")
    usable = [wanted] if wanted else [each for each in formats if _is_plain(format_named(each))]
    fitting = [each for each in usable if _divides(format_named(each), size)]
    if not fitting:
        raise VideoError(
            f"{size[0]}x{size[1]} pixels cannot be halved, as {wanted or encoder} wants for its chroma: "
            "choose an even size, or an encoder and a pixel format with 4:4:4 chroma, such as libx264 with "
            "yuv444p"
        )
    source = format_named(info.pixel_format)
    best = min(fitting, key=lambda each: _distance(format_named(each), source))
    depth = bits_of(format_named(best))
    if info.hdr and depth < 10:
        raise VideoError(
            f"{info.path} is HDR ({info.hdr}), which {depth} bits a sample cannot hold: choose an encoder "
            "and a pixel format of 10 bits, such as libx265 with yuv420p10le"
        )
    if wanted is None and depth < info.depth and depth <= 8:
        raise VideoError(
            f"{encoder} has 8 bits a sample and {info.path} has {info.depth}: choose another encoder, such "
            f"as libx265, or the pixel format {best} to go without them"
        )
    if wanted is None and not _divides(source, size):
        notes.append(f"{size[0]}x{size[1]} pixels cannot be halved for chroma: written as {best}")
    return best


def format_named(name: str) -> VideoFormat:
    """Return a pixel format with 16 x 16 samples of luma, so that its chroma's are told by its components."""
    from av.video.format import VideoFormat

    return VideoFormat(name, 16, 16)


def _is_plain(held: VideoFormat) -> bool:
    """Tell whether a format is Y, Cb and Cr with nothing else, in bits that libswscale writes."""
    name = held.name
    return len(held.components) == 3 and not held.is_rgb and not name.startswith("yuvj") and "msb" not in name


def _divides(held: VideoFormat, size: tuple[int, int]) -> bool:
    chroma = held.components[-1]
    return held.is_rgb or not (size[0] % (16 // chroma.width) or size[1] % (16 // chroma.height))


def _distance(held: VideoFormat, source: VideoFormat) -> tuple[int, ...]:
    """Return how far a format is from the source's, what is lost first."""

    def chroma(each: VideoFormat) -> int:
        few = len(each.components) < 3  # grey has no chroma to lose
        return 64 if few else 256 if each.is_rgb else each.components[1].width * each.components[1].height

    bits = bits_of(held) - bits_of(source)
    finer = chroma(held) - chroma(source)
    return max(0, -bits), max(0, -finer), max(0, bits), max(0, finer), int(not held.is_planar)
