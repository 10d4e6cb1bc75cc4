"""Whole videos: their frames, times, streams and tags are the source's, and refusals come before work."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spandrel_aethernet.errors import OutputError, VideoError
from spandrel_aethernet.video.colour import Colour
from spandrel_aethernet.video.options import VideoOptions
from spandrel_aethernet.video.upscale import VideoReport, enlarge_video

from .clips import look, nearest, packets, samples
from .conftest import MakeClip

SHORT = VideoOptions(segment_frames=10, preset="veryfast")
UNEVEN = tuple(np.cumsum([0, *([40, 17, 120, 33, 41, 5, 80] * 6)])[:40].tolist())


def enlarge(source: Path, target: Path, options: VideoOptions = SHORT, **arguments: Any) -> VideoReport:
    return enlarge_video(source, target, nearest, scale=2, options=options, **arguments)


@pytest.mark.parametrize("target", ["out.mkv", "out.mp4", "out.mov"])
@pytest.mark.parametrize(
    ("suffix", "properties"),
    [
        (".mkv", {}),
        (".mp4", {}),
        (".mp4", {"rate": Fraction(30000, 1001)}),
        (".mkv", {"times": UNEVEN}),
        (".mp4", {"times": UNEVEN}),
        (".ts", {}),
        (".avi", {"codec": "mpeg4"}),
    ],
    ids=["mkv", "mp4", "ntsc", "mkv-vfr", "mp4-vfr", "ts", "avi"],
)
def test_every_frame_comes_at_its_time(
    clip_of: MakeClip, tmp_path: Path, suffix: str, properties: dict[str, Any], target: str
) -> None:
    source = clip_of(suffix, **properties)
    report = enlarge(source, tmp_path / target)
    before, after = look(source), look(tmp_path / target)
    assert report.frames == len(after.times) == len(before.times) == 40
    fine = Fraction(1, 2000) if target.endswith("mkv") else Fraction(0)  # Matroska counts milliseconds
    for one, other in zip(before.times, after.times, strict=True):
        assert one is not None
        assert other is not None
        assert abs(one - other) <= fine
    assert (after.first.width, after.first.height) == (128, 96)
    assert [path.name for path in tmp_path.iterdir()] == [target]


def test_frames_of_a_bare_stream_are_counted(clip_of: MakeClip, tmp_path: Path) -> None:
    report = enlarge(clip_of(".h264"), tmp_path / "out.mkv")
    assert look(tmp_path / "out.mkv").times == tuple(Fraction(number, 25) for number in range(40))
    assert any("counted" in note for note in report.notes)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_audio_that_starts_late_is_copied_byte_by_byte(
    clip_of: MakeClip, tmp_path: Path, suffix: str
) -> None:
    source = clip_of(suffix, audio_start=0.5)
    enlarge(source, tmp_path / f"out{suffix}")
    before, after = packets(source, 1), packets(tmp_path / f"out{suffix}", 1)
    assert len(before) > 40
    assert before == after
    assert before[0][0] > Fraction(2, 5)


def test_all_else_in_the_file_is_kept(clip_of: MakeClip, tmp_path: Path) -> None:
    from av.container import open as open_container
    from av.stream import AttachmentStream

    source = clip_of(audio_start=0.0, extras=True, rotation=90, sample_aspect_ratio=Fraction(4, 3))
    target = tmp_path / "out.mkv"
    enlarge(source, target)
    for index in (1, 2, 3):
        assert packets(source, index) == packets(target, index)
    before, after = open_container(str(source), "r"), open_container(str(target), "r")
    with before, after:
        assert [stream.type for stream in after.streams] == [stream.type for stream in before.streams]
        assert [stream.language for stream in after.streams] == [stream.language for stream in before.streams]
        assert after.chapters() == before.chapters()
        assert len(after.chapters()) == 2
        assert after.metadata["title"] == "A clip"
        assert after.metadata["ARTIST"] == before.metadata["ARTIST"] == "nobody"
        last, copied = before.streams[4], after.streams[4]
        assert isinstance(last, AttachmentStream)
        assert isinstance(copied, AttachmentStream)
        assert (copied.name, copied.mimetype, copied.data) == (last.name, last.mimetype, last.data)
        assert len(copied.data) == 256
    assert look(target).first.rotation == look(source).first.rotation == 90
    assert look(target).sample_aspect_ratio == Fraction(4, 3)


def test_rotation_and_chapters_are_kept_in_mp4(clip_of: MakeClip, tmp_path: Path) -> None:
    source = clip_of(".mp4", rotation=270, audio_start=0.0)
    enlarge(source, tmp_path / "out.mp4")
    assert look(tmp_path / "out.mp4").first.rotation == look(source).first.rotation != 0


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_colours_are_tagged_and_stay(
    clip_of: MakeClip, tmp_path: Path, matrix: int, full: bool, pixel_format: str
) -> None:
    colour = Colour(matrix, full, {5: 5, 6: 6}.get(matrix, matrix), {1: 1, 9: 14}.get(matrix, 6))
    source = clip_of(pixel_format=pixel_format, colour=colour, frames=4)
    enlarge(source, tmp_path / "out.mkv", options=VideoOptions(codec="ffv1"))
    before, after = look(source).first, look(tmp_path / "out.mkv").first
    for name in ("colorspace", "color_range", "color_primaries", "color_trc"):
        assert getattr(after, name) == getattr(before, name)
    assert (after.colorspace, after.color_range == 2) == (matrix, full)
    assert after.format.name == pixel_format
    wide = np.uint16 if "10" in pixel_format else np.uint8
    luma = np.frombuffer(samples(before), wide)[: 64 * 48].reshape(48, 64)
    again = np.frombuffer(samples(after), wide)[: 128 * 96].reshape(96, 128)
    inner = np.s_[4::8, 4::8]  # in blocks of 8 x 8, which move along by one a frame
    moved = np.abs(again[::2, ::2][inner].astype(int) - luma[inner])
    assert moved.max() <= 2 * (4 if "10" in pixel_format else 1)


def test_10_bits_go_through_hevc(clip_of: MakeClip, tmp_path: Path) -> None:
    source = clip_of(pixel_format="yuv420p10le", codec="libx265", frames=20)
    enlarge(source, tmp_path / "out.mp4", options=VideoOptions(preset="ultrafast"))
    assert look(tmp_path / "out.mp4").first.format.name == "yuv420p10le"
    assert look(tmp_path / "out.mp4").times == look(source).times


def test_hdr_keeps_its_transfer_and_is_refused_in_8_bits(clip_of: MakeClip, tmp_path: Path) -> None:
    points = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    screen = f"master-display={points}:max-cll=1000,400"
    source = clip_of(
        pixel_format="yuv420p10le",
        codec="libx265",
        frames=10,
        colour=Colour(9, False, 9, 16),
        options={"x265-params": f"log-level=none:{screen}"},
    )
    with pytest.raises(VideoError, match=r"is HDR \(PQ\), which 8 bits a sample cannot hold"):
        enlarge(source, tmp_path / "out.mkv", options=VideoOptions(codec="libx264", pix_fmt="yuv420p"))
    enlarge(source, tmp_path / "out.mkv", options=VideoOptions(preset="ultrafast"))
    before, after = look(source).first, look(tmp_path / "out.mkv").first
    assert after.color_trc == before.color_trc == 16
    side = {data.type.name: bytes(data) for data in before.side_data}  # pyright: ignore
    kept = {data.type.name: bytes(data) for data in after.side_data}  # pyright: ignore
    for name in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"):
        assert kept[name] == side[name]


@pytest.mark.parametrize("size", [(63, 47), (62, 47), (33, 64)])
def test_odd_sizes_come_out_whole(clip_of: MakeClip, tmp_path: Path, size: tuple[int, int]) -> None:
    source = clip_of(size=size, pixel_format="yuv444p", frames=12)
    report = enlarge_video(
        source, tmp_path / "out.mkv", lambda frames: frames, scale=1, options=VideoOptions(preset="veryfast")
    )
    after = look(tmp_path / "out.mkv")
    assert (after.first.width, after.first.height, after.first.format.name) == (*size, "yuv444p")
    assert report.frames == 12

    def odd(_width: int, _height: int) -> tuple[int, int]:
        return size

    with pytest.raises(VideoError, match="cannot be halved, as yuv420p wants for its chroma: choose"):
        enlarge(
            source,
            tmp_path / "no.mkv",
            size=odd,
            options=VideoOptions(pix_fmt="yuv420p"),
        )


def test_frames_equal_to_the_one_before_are_not_enlarged_again(clip_of: MakeClip, tmp_path: Path) -> None:
    source = clip_of(still=True, codec="ffv1", options={})
    seen: list[int] = []

    def counting(frames: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        for frame in nearest(frames):
            seen.append(1)
            yield frame

    enlarge_video(source, tmp_path / "out.mkv", counting, scale=2, options=VideoOptions(codec="ffv1"))
    after = look(tmp_path / "out.mkv")
    assert len(after.times) == 40
    assert len(seen) == 10
    assert len({*after.frames}) == 10
    assert all(after.frames[number] == after.frames[number // 4 * 4] for number in range(40))


def test_what_a_cut_off_file_still_holds_is_enlarged_and_said(clip_of: MakeClip, tmp_path: Path) -> None:
    whole = clip_of(frames=80)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    report = enlarge(cut, tmp_path / "out.mkv")
    before, after = look(cut), look(tmp_path / "out.mkv")
    assert 10 < report.frames == len(after.times) < 70
    assert after.times == before.times[: len(after.times)]
    assert any("was cut off: it announces 3.2 s" in note for note in report.notes)


def test_a_file_cut_off_before_its_index_is_refused(clip_of: MakeClip, tmp_path: Path) -> None:
    whole = clip_of(".mp4")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(VideoError, match="cut off before its index"):
        enlarge(cut, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("target", "options", "sentence"),
    [
        ("out.avi", VideoOptions(), "is not named like a video that can be written: expected one of .mkv"),
        ("out.mp4", VideoOptions(), ".mp4 cannot hold subtitle stream 3 .subrip. of .*: choose .mkv"),
        ("out.webm", VideoOptions(codec="libx264"), "'webm' format does not support 'libx264' codec"),
        ("out.mkv", VideoOptions(codec="x264"), "'x264' is no encoder of this FFmpeg"),
        ("out.mkv", VideoOptions(codec="aac"), "aac is no video encoder"),
        (
            "out.mkv",
            VideoOptions(pix_fmt="yuv9"),
            "libx264 has no pixel format 'yuv9': expected one of yuv420p",
        ),
        (
            "out.mkv",
            VideoOptions(preset="fastest"),
            "libx264 cannot be opened here .* with crf=17, preset=fastest",
        ),
        ("out.mkv", VideoOptions(codec="h264_nvenc"), "h264_nvenc cannot be opened here"),
        ("out.mkv", VideoOptions(codec="ffv1", crf=3), "ffv1 has no constant quality"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(
    clip_of: MakeClip, tmp_path: Path, target: str, options: VideoOptions, sentence: str
) -> None:
    source = clip_of(audio_start=0.0, extras=True, rotation=90, sample_aspect_ratio=Fraction(4, 3))

    def never(_: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        raise AssertionError("the network runs")

    with pytest.raises((VideoError, OutputError), match=sentence):
        enlarge_video(source, tmp_path / target, never, scale=2, options=options)
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_exists_is_kept(clip_of: MakeClip, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    target.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists and is kept"):
        enlarge(clip_of(), target)
    with pytest.raises(OutputError, match="would replace its own source"):
        enlarge(clip_of(), clip_of(), force=True)
    enlarge(clip_of(), target, force=True)
    assert look(target).first.width == 128


def test_interlaced_content_is_said(clip_of: MakeClip, tmp_path: Path) -> None:
    source = clip_of(options={"x264-params": "interlaced=1:tff=1"}, frames=12)
    report = enlarge(source, tmp_path / "out.mkv")
    assert any("is interlaced" in note for note in report.notes)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_of_a_damaged_file_the_same_comes_out_each_time(
    clip_of: MakeClip, tmp_path: Path, suffix: str
) -> None:
    damaged = tmp_path / f"damaged{suffix}"
    for seed in (6, 24):
        content = bytearray(clip_of(suffix, frames=80).read_bytes())
        generator = np.random.default_rng(seed)
        for place in generator.integers(len(content) // 5, len(content) * 4 // 5, 20):
            content[place] = generator.integers(0, 256)
        damaged.write_bytes(content)
        runs: list[tuple[bytes, ...]] = []
        for number in range(2):
            target = tmp_path / f"{seed}-{number}.mkv"
            report = enlarge(damaged, target)
            runs.append(look(target).frames)
            assert report.frames == len(runs[-1]) > 40
        assert runs[0] == runs[1]


def test_segments_of_which_nothing_can_be_decoded_are_left_out(clip_of: MakeClip, tmp_path: Path) -> None:
    source = clip_of(frames=60)
    content = bytearray(source.read_bytes())
    middle = slice(len(content) * 4 // 10, len(content) * 7 // 10)
    content[middle] = bytes(len(content[middle]))
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(content)
    report = enlarge(damaged, tmp_path / "out.mkv")
    assert 10 < report.frames == len(look(tmp_path / "out.mkv").times) < 60
