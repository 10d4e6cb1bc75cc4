"""Memory of ten thousand frames and of thousands of files is that of a hundred."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spandrel_aethernet.images.files import Picture, write_picture

from ..images.pictures import photograph

pytestmark = [
    pytest.mark.release,
    pytest.mark.skipif(sys.platform == "win32", reason="peaks of memory are told on POSIX"),
]

_PEAK = """
import resource, sys
from pathlib import Path
import numpy as np
from spandrel_aethernet.inference.frames import FrameOptions, Frames
from spandrel_aethernet.inference.image_files import FileOptions, upscale_files
from spandrel_aethernet.inference.jobs import Job
from tests.inference.backends import Repeat

def frames(count):
    for number in range(count):
        yield np.full((270, 480, 3), number % 256, np.uint8)

def run_frames(count):
    for _ in Frames(Repeat(side=512), FrameOptions())(frames(count)):
        pass

def run_files(count):
    jobs = (Job(Path(sys.argv[2]), Path(sys.argv[3]), named=True) for _ in range(count))
    for outcome in upscale_files(jobs, Repeat(), FileOptions(tile=64, overlap=4, force=True)):
        assert outcome.state == "written", outcome

run, few, many = {"frames": (run_frames, 100, 10_000), "files": (run_files, 100, 5_000)}[sys.argv[1]]
unit = 1 if sys.platform == "darwin" else 1024
for count in (few, many):
    run(count)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
"""


@pytest.mark.parametrize("what", ["frames", "files"])
def test_many_take_no_more_than_few(what: str, tmp_path: Path) -> None:
    write_picture(Picture(photograph(24, 24)), tmp_path / "in.png")
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, what, tmp_path / "in.png", tmp_path / "out.png"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    few, many = (int(line) for line in done.stdout.split())
    assert many - few < 32 * 2**20, "32 MiB are 40 frames of this size enlarged"
