"""What a file is found to be, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from spandrel_aethernet.errors import VideoError
from spandrel_aethernet.gate.limits import IMAGE_PIXELS
from spandrel_aethernet.video.probe import probe

from .conftest import MakeClip


def test_a_video_is_described(clip_of: MakeClip) -> None:
    info = probe(clip_of(audio_start=0.0))
    assert (info.width, info.height, info.pixel_format, info.depth, info.rate) == (64, 48, "yuv420p", 8, 25)
    assert info.times == tuple(range(0, 1600, 40))
    assert info.keys == (0, 480, 960, 1440)
    assert (info.hdr, info.interlaced, info.counted, info.display_matrix) == (None, False, False, None)
    assert [str(stream) for stream in info.streams] == ["audio stream 1 (aac)"]
    assert [note.partition(" ")[2] for note in info.notes] == [
        "does not name its colour matrix: BT.601 by its size"
    ]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.mkv", b"", "is empty: copy it again"),
        ("a.mkv", b"not a video at all" * 100, "cannot be read as a video"),
        (
            "a.m3u8",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.ts\n#EXT-X-ENDLIST\n",
            "cannot be read",
        ),
        ("a.txt", b"ffconcat version 1.0\nfile other.mkv\n", "cannot be read as a video"),
        ("a.srt", b"1\n00:00:00,200 --> 00:00:00,800\nfirst\n\n", "cannot be read as a video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=sentence):
        probe(tmp_path / name)


def test_what_is_not_there_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="cannot be read: No such file"):
        probe(tmp_path / "absent.mkv")
    with pytest.raises(VideoError, match=r"cannot be read|is no regular file"):
        probe(tmp_path)


def test_audio_alone_is_refused(clip_of: MakeClip) -> None:
    audio = clip_of(audio_start=0.0).parent / "audio0.mka"
    with pytest.raises(VideoError, match="holds no video: 1 other streams"):
        probe(audio)


def test_pictures_that_are_announced_too_large_are_refused(
    clip_of: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(IMAGE_PIXELS.variable, "3000")
    with pytest.raises(VideoError, match="announces pictures of 64x48 pixels, more than the 3000"):
        probe(clip_of())
