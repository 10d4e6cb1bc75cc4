"""Videos by a team: the same bytes as by one, also when a worker is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip("av")

from spandrel_aethernet.inference.image_files import FileOptions
from spandrel_aethernet.inference.jobs import Job
from spandrel_aethernet.video.options import VideoOptions
from spandrel_aethernet.workers.cluster import LOCAL
from spandrel_aethernet.workers.tasks import ModelSpec
from spandrel_aethernet.workers.team import team_for
from spandrel_aethernet.workers.videos import upscale_videos_by

from ..artifacts import TINY
from ..conftest import make_network
from ..video.clips import Clip, make_clip

pytestmark = pytest.mark.slow
OPTIONS = VideoOptions(segment_frames=10, preset="ultrafast")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos")
    make_clip(path / "clip.mkv", Clip(frames=80, group=10, audio_start=0.1))
    torch.save(make_network(**TINY).state_dict(), path / "tiny.pth")
    return path


def made(folder: Path, target: Path, *, workers: int | None = None, ray: str | None = None) -> bytes:
    spec = ModelSpec(folder / "tiny.pth", device="cpu")
    jobs = [Job(folder / "clip.mkv", target), Job(folder / "gone.mkv", target.with_name("gone.mkv"))]
    with team_for(spec, workers=workers, ray=ray, outputs=[target]) as team:
        outcomes = list(upscale_videos_by(team, jobs, FileOptions(), model=spec.path, video=OPTIONS))
    assert [outcome.job for outcome in outcomes] == jobs
    assert [outcome.state for outcome in outcomes] == ["written", "failed"]
    return target.read_bytes()


def test_several_processes_make_what_one_makes(folder: Path, tmp_path: Path) -> None:
    assert made(folder, tmp_path / "two.mkv", workers=2) == made(folder, tmp_path / "one.mkv")


def test_a_cluster_makes_what_one_process_makes(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    assert made(folder, tmp_path / "ray.mkv", workers=2, ray=LOCAL) == made(folder, tmp_path / "one.mkv")
