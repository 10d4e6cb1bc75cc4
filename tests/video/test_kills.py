"""Runs killed at random moments: the next goes on, and in the end every frame is an uninterrupted run's."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spandrel_aethernet.video.upscale import enlarge_video

from .child import OPTIONS
from .clips import look, nearest, packets
from .conftest import MakeClip

ROOT = Path(__file__).parents[2]
TAKES = 0.9
"""Seconds within which a run is killed, counted from its beginning; a whole one takes about as long."""


def killed(source: Path, target: Path, after: float) -> bool:
    """Start a run and kill it; tell whether it was still running then."""
    arguments = [sys.executable, "-m", "tests.video.child", str(source), str(target)]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"begins"
        time.sleep(after)
        running = child.poll() is None
        child.kill()
    assert running or child.returncode == 0
    return running


@pytest.mark.parametrize(
    "most", [pytest.param(3, marks=pytest.mark.slow), pytest.param(100, marks=pytest.mark.release)]
)
def test_kills_change_no_frame(most: int, clip_of: MakeClip, tmp_path: Path) -> None:
    source = clip_of(frames=100, audio_start=0.5, options={"x264-params": "open-gop=1"})
    whole, target = tmp_path / "whole.mkv", tmp_path / "out.mkv"
    enlarge_video(source, whole, nearest, scale=2, options=OPTIONS)
    wanted = look(whole)
    moments = random.Random(0)  # noqa: S311
    kills = finished = 0
    while kills < most or not target.exists():
        kills += killed(source, target, moments.random() * TAKES if kills < most else 30)
        if target.exists():
            found = look(target)
            assert found.frames == wanted.frames
            assert found.times == wanted.times
            assert packets(target, 0) == packets(whole, 0)
            assert packets(target, 1) == packets(source, 1)
            finished += 1
            if kills < most:
                for path in tmp_path.iterdir():
                    if path != whole:
                        _remove(path)
    assert finished >= most // 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mkv", "whole.mkv"]


def _remove(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            inner.unlink()
        path.rmdir()
    else:
        path.unlink()
