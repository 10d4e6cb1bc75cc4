"""`aethernet upscale` of videos and of folders that are watched."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

pytest.importorskip("av")

from spandrel_aethernet.images.files import Picture, write_picture

from ..artifacts import TINY
from ..conftest import Result, make_network, start
from ..images.pictures import photograph
from ..video.clips import Clip, look, make_clip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of four segments with sound, a picture, and a model."""
    path = tmp_path_factory.mktemp("videos")
    (path / "in").mkdir()
    make_clip(path / "in" / "clip.mkv", Clip(frames=20, size=(32, 24), group=5, audio_start=0.1))
    write_picture(Picture(photograph(24, 32)), path / "in" / "photo.png")
    torch.save(make_network(**TINY).state_dict(), path / "tiny.pth")
    return path


def test_a_folder_of_pictures_and_videos_becomes_one(
    folder: Path, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    command = ("upscale", folder / "in", "-o", tmp_path / "out", "-m", folder / "tiny.pth", "--device", "cpu")
    result = aethernet(*command, "--height", 36, "--codec", "libx264", "--crf", 20, "--preset", "ultrafast")
    assert result.code == 0, result.err
    assert "2 of 2 written\n" in result.err
    assert "note: " in result.err, "the clip does not name its colours"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clip.mkv", "photo.png"]
    seen = look(tmp_path / "out" / "clip.mkv")
    assert (seen.first.width, seen.first.height) == (48, 36)
    again = aethernet(*command)
    assert again.code == 0
    assert "0 of 2 written, 2 skipped (already there)\n" in again.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--codec", "libnothing"], "'libnothing' is no encoder of this FFmpeg"),
        (["--pix-fmt", "yuv999"], "libx264 has no pixel format 'yuv999'"),
        (["--encoder-option", "crf=nonsense"], "libx264 cannot be opened here"),
    ],
)
def test_what_the_encoder_cannot_do_is_said_and_leaves_nothing(
    arguments: list[str], message: str, folder: Path, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    target = tmp_path / "out.mkv"
    command = (
        "upscale",
        folder / "in" / "clip.mkv",
        "-o",
        target,
        "-m",
        folder / "tiny.pth",
        "--device",
        "cpu",
    )
    result = aethernet(*command, *arguments)
    assert result.code == 1
    assert message in result.err
    assert "0 of 1 written, 1 failed\n" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal on POSIX")
def test_ctrl_c_tells_where_a_video_goes_on_and_the_next_run_does(
    folder: Path, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    source, target, whole = tmp_path / "long.mkv", tmp_path / "out.mkv", tmp_path / "whole.mkv"
    make_clip(source, Clip(frames=500, size=(96, 64), group=5))
    command = ("upscale", source, "-m", folder / "tiny.pth", "--device", "cpu", "-o")
    process = start(*command, target)
    segments = tmp_path / "out.mkv.segments"
    for _ in range(600):
        if segments.is_dir() and any(path.suffix == ".segment" for path in segments.iterdir()):
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on from there" in errors
    assert not target.exists()
    assert aethernet(*command, target).code == 0
    assert aethernet(*command, whole).code == 0
    assert target.read_bytes() == whole.read_bytes()
    assert not segments.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal on POSIX")
def test_a_watched_folder_is_gone_on_with_until_ctrl_c(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    incoming, out = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    write_picture(Picture(photograph(24, 32)), incoming / "a.png")
    process = start("upscale", incoming, "-o", out, "-m", folder / "tiny.pth", "--device", "cpu", "--watch")

    def appears(name: str) -> bool:
        for _ in range(600):
            if (out / name).is_file():
                return True
            time.sleep(0.1)
        return False

    assert appears("a.png")
    write_picture(Picture(photograph(24, 32)), incoming / "deep" / "b.png")
    (incoming / "broken.png").write_bytes(b"no picture")
    assert appears("deep/b.png")
    time.sleep(2.5)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "failed: " in errors
    assert "broken.png cannot be read as an image" in errors
    assert "2 of 3 written, 1 failed\n" in errors
    assert process.returncode == 130, "0 if none had failed"
