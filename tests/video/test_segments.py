"""Segments: cut at key frames, decoded alone as in one go, and not made again by the next run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from spandrel_aethernet.errors import OutputError, VideoError
from spandrel_aethernet.video.decode import frames_between
from spandrel_aethernet.video.folder import alone, folder_of
from spandrel_aethernet.video.options import VideoOptions
from spandrel_aethernet.video.probe import probe
from spandrel_aethernet.video.segments import plan_segments
from spandrel_aethernet.video.upscale import enlarge_video, prepare

from .clips import look, nearest, samples
from .conftest import MakeClip

SHORT = VideoOptions(segment_frames=10, preset="veryfast")
SOURCES = pytest.mark.parametrize(
    ("suffix", "properties"),
    [
        (".mkv", {}),
        (".mp4", {}),
        (".ts", {}),
        (".mkv", {"options": {"x264-params": "open-gop=1:bframes=3"}}),
        (".ts", {"options": {"x264-params": "open-gop=1:bframes=3"}}),
        (".mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none:open-gop=1:bframes=4"}}),
        (".ts", {"codec": "mpeg2video", "options": {"bf": "2"}}),
        (".avi", {"codec": "mpeg4", "options": {"bf": "2"}}),
        (".ts", {"options": {"x264-params": "intra-refresh=1:bframes=0"}}),
        (
            ".webm",
            {"codec": "libvpx-vp9", "size": (63, 47), "options": {"lag-in-frames": "16", "cpu-used": "8"}},
        ),
        (".webm", {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}}),
        (".mkv", {"frames": 90, "group": 500}),
        (".h264", {"frames": 90}),
    ],
    ids=[
        "mkv",
        "mp4",
        "ts",
        "open",
        "open-ts",
        "hevc-open",
        "mpeg2",
        "avi",
        "refresh",
        "vp9",
        "vp8",
        "long",
        "bare",
    ],
)


@SOURCES
def test_frames_of_all_segments_are_those_of_one_go(
    clip_of: MakeClip, tmp_path: Path, suffix: str, properties: dict[str, Any]
) -> None:
    source = clip_of(suffix, **properties)
    info = probe(source)
    segments = plan_segments(info, tmp_path, least=10)
    assert len(segments) >= (1 if "refresh" in str(properties) else 3)
    assert [segment.first for segment in segments[1:]] == [segment.end for segment in segments[:-1]]
    found = [
        (time, samples(frame))
        for segment in segments
        for time, frame in frames_between(info, segment.first, segment.end)
    ]
    whole = look(source)
    assert tuple(planes for _, planes in found) == whole.frames
    if not info.counted:
        assert tuple(time * info.time_base for time, _ in found) == whole.times


def test_segments_are_whole_groups_of_at_least_so_many_frames(clip_of: MakeClip, tmp_path: Path) -> None:
    info = probe(clip_of(frames=80))
    segments = plan_segments(info, tmp_path, least=20)
    assert {info.times[segment.first] for segment in segments} <= {*info.keys}
    assert all(segment.frames >= 20 for segment in segments[:-1])
    assert sum(segment.frames for segment in segments) == 80


def interrupted(source: Path, target: Path, after: int, error: BaseException) -> int:
    """Enlarge a video until an error comes; return how many frames were enlarged."""
    seen: list[int] = []

    def failing(frames: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        for frame in nearest(frames):
            if len(seen) == after:
                raise error
            seen.append(1)
            yield frame

    with pytest.raises(type(error)):
        enlarge_video(source, target, failing, scale=2, options=SHORT)
    return len(seen)


def test_a_run_that_ended_early_goes_on_and_ends_the_same(clip_of: MakeClip, tmp_path: Path) -> None:
    source, whole, target = clip_of(frames=80), tmp_path / "whole.mkv", tmp_path / "out.mkv"
    enlarge_video(source, whole, nearest, scale=2, options=SHORT)
    interrupted(source, target, 30, KeyboardInterrupt())
    job = prepare(source, target, scale=2, options=SHORT)
    assert not target.exists()
    assert 0 < len(job.missing()) < len(job.segments)
    assert {path.suffix for path in job.folder.iterdir()} <= {".segment", ".json", ""}
    report = enlarge_video(source, target, nearest, scale=2, options=SHORT)
    assert report.found >= 24
    assert look(target).frames == look(whole).frames
    assert look(target).times == look(whole).times
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mkv", "whole.mkv"]


def test_segments_of_another_job_are_not_used(clip_of: MakeClip, tmp_path: Path) -> None:
    source, target = clip_of(frames=80), tmp_path / "out.mkv"
    interrupted(source, target, 30, ValueError())
    report = enlarge_video(
        source, target, nearest, scale=2, options=VideoOptions(segment_frames=10, crf=30), model_identity="b"
    )
    assert report.found == 0
    assert any("another job (encoding, model differ): it begins anew" in note for note in report.notes)


def test_a_second_run_of_the_same_target_is_refused(clip_of: MakeClip, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    with alone(folder_of(target)), pytest.raises(OutputError, match="is in use: another run is making"):
        enlarge_video(clip_of(), target, nearest, scale=2, options=SHORT)


def test_a_folder_with_other_files_is_left_alone(clip_of: MakeClip, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    folder_of(target).mkdir()
    (folder_of(target) / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(OutputError, match=r"holds another file, mine\.txt"):
        enlarge_video(clip_of(), target, nearest, scale=2, options=SHORT)
    assert (folder_of(target) / "mine.txt").exists()


def test_too_few_or_too_many_enlarged_frames_are_refused(clip_of: MakeClip, tmp_path: Path) -> None:
    def fewer(frames: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        for number, frame in enumerate(nearest(frames)):
            if number % 2:
                yield frame

    def more(frames: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        for frame in nearest(frames):
            yield frame
            yield frame

    with pytest.raises(VideoError, match="were not enlarged: fewer came back"):
        enlarge_video(clip_of(), tmp_path / "out.mkv", fewer, scale=2, options=SHORT)
    with pytest.raises(VideoError, match="more frames came back"):
        enlarge_video(clip_of(), tmp_path / "out.mkv", more, scale=2, options=SHORT)
    with pytest.raises(VideoError, match="an enlarged frame has the shape"):
        enlarge_video(clip_of(), tmp_path / "out.mkv", lambda frames: frames, scale=2, options=SHORT)


def test_a_job_can_be_pickled_and_made_by_others(clip_of: MakeClip, tmp_path: Path) -> None:
    import pickle

    from spandrel_aethernet.video.segments import upscale_segment

    target = tmp_path / "out.mkv"

    def elsewhere(job: Any, segments: Any, progress: Any) -> None:
        for segment in reversed(segments):
            info, encoding, piece = pickle.loads(pickle.dumps((job.info, job.encoding, segment)))  # noqa: S301
            upscale_segment(piece, info, encoding, nearest, progress=progress)

    report = enlarge_video(clip_of(), target, nearest, scale=2, options=SHORT, run_segments=elsewhere)
    assert report.frames == 40
    enlarge_video(clip_of(), tmp_path / "here.mkv", nearest, scale=2, options=SHORT)
    assert look(target).frames == look(tmp_path / "here.mkv").frames
