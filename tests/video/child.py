"""A process that enlarges a video, for tests that end it: python -m tests.video.child SOURCE TARGET."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from spandrel_aethernet.video.options import VideoOptions
from spandrel_aethernet.video.upscale import enlarge_video

from .clips import nearest

OPTIONS = VideoOptions(segment_frames=10, preset="veryfast")


def slowly(frames: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    for frame in nearest(frames):
        time.sleep(0.005)
        yield frame


if __name__ == "__main__":
    print("begins", flush=True)  # noqa: T201
    enlarge_video(Path(sys.argv[1]), Path(sys.argv[2]), slowly, scale=2, options=OPTIONS)
