"""Encoders make the same of the same frames each time: segments of different runs are one video."""

from __future__ import annotations

from pathlib import Path

import pytest

from spandrel_aethernet.video.options import VideoOptions
from spandrel_aethernet.video.upscale import enlarge_video

from .clips import nearest, packets
from .conftest import MakeClip


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1", "libvpx-vp9"])
def test_packets_are_the_same_each_time(codec: str, clip_of: MakeClip, tmp_path: Path) -> None:
    source = clip_of(frames=250, size=(96, 64))
    preset = {"libsvtav1": "10", "libvpx-vp9": None}.get(codec, "veryfast")
    made: list[object] = []
    for index in range(4):
        target = tmp_path / f"{index}.mkv"
        enlarge_video(source, target, nearest, scale=2, options=VideoOptions(codec=codec, preset=preset))
        made.append(packets(target, 0))
    assert made[1:] == made[:1] * 3
