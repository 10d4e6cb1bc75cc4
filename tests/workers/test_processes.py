"""Processes of this machine: the same bytes, nothing lost, nothing left."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch

from spandrel_aethernet.errors import AetherError
from spandrel_aethernet.inference.image_files import FileOptions
from spandrel_aethernet.inference.jobs import Job
from spandrel_aethernet.inference.pipeline import Threads
from spandrel_aethernet.workers.tasks import ModelSpec
from spandrel_aethernet.workers.team import Team, team_for

from ..artifacts import Artifacts
from ..conftest import make_second, start
from .files import Steps, contents, hidden, some, to

pytestmark = [
    pytest.mark.slow,  # a process takes seconds to begin
    pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them"),
]


@pytest.fixture(scope="module")
def team(artifacts: Artifacts) -> Generator[Team]:
    with team_for(ModelSpec(artifacts.tiny_float, device="cpu"), workers=2) as team:
        yield team


def upscaled_alone(spec: ModelSpec, jobs: list[Job]) -> Counter[str]:
    with team_for(spec) as alone:
        return Counter(outcome.state for outcome in alone.upscale(jobs))


def test_two_write_what_one_writes(team: Team, artifacts: Artifacts, tmp_path: Path) -> None:
    jobs = some(tmp_path / "in", 12)
    alone = to(tmp_path / "in", tmp_path / "alone")
    expected = upscaled_alone(ModelSpec(artifacts.tiny_float, device="cpu"), alone)
    outcomes = list(team.upscale(jobs, FileOptions(), threads=Threads(1, 1)))
    assert Counter(outcome.state for outcome in outcomes) == expected == {"written": 11, "failed": 1}
    assert {outcome.job for outcome in outcomes} == {*jobs}
    assert contents(jobs) == contents(alone)
    (failed,) = [outcome for outcome in outcomes if outcome.message]
    assert "004.png cannot be read as an image" in str(failed.message)
    again = Counter(outcome.state for outcome in team.upscale(jobs))
    assert again == {"skipped": 11, "failed": 1}
    assert team.about.description.endswith("float32 on cpu, 2 workers")
    assert (team.about.scale, team.about.channels) == (2, 3)


def test_both_take_part(team: Team) -> None:
    results = list(team.run([Steps((number,), seconds=0.2) for number in range(6)]))
    assert len({result.partition(" by ")[2] for result in results}) == 2


def test_what_a_worker_raises_arrives(team: Team) -> None:
    with pytest.raises(AetherError, match="it cannot be: give force=True"):
        list(team.run([Steps((1,), raising="aether")]))
    with pytest.raises(RuntimeError, match="ValueError: a mistake"):
        list(team.run([Steps((1,), raising="a mistake")]))


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(team: Team, tmp_path: Path) -> None:
    jobs = some(tmp_path / "in", 60)
    states: Counter[str] = Counter()
    for number, outcome in enumerate(team.upscale(jobs)):
        if number == 0:
            assert len(active_children()) == 2
            os.kill(active_children()[0].pid or 0, signal.SIGKILL)
        states[outcome.state] += 1
    assert states == {"written": 59, "failed": 1}
    assert len([content for content in contents(jobs) if content]) == 59
    assert len(active_children()) == 2


def test_closing_it_ends_the_work_and_leaves_nothing_partial(team: Team, tmp_path: Path) -> None:
    jobs = some(tmp_path / "in", 60)
    with closing(team.upscale(jobs)) as running:
        next(running)
    assert len(active_children()) <= 1, "who had answered waits"
    assert hidden(tmp_path / "in" / "out") == []
    assert len([content for content in contents(jobs) if content]) < 59


def test_what_every_worker_dies_of_fails_by_itself(team: Team) -> None:
    results = list(team.run([Steps((1, 2, 3), deadly=2), Steps((4, 5), deadly=2), Steps((6,), deadly=2)]))
    assert sorted(int(result.split()[0]) for result in results) == [1, 2, 3, 4, 5, 6]
    assert [result for result in results if "failed" in result] == [
        "2 failed: every worker that had it ended: signal 9"
    ]


@pytest.mark.parametrize("model", ["onnx", "attention"])
def test_two_write_what_one_writes_of_any_network(model: str, artifacts: Artifacts, tmp_path: Path) -> None:
    path = artifacts.onnx("fp16-int8", "tiny") if model == "onnx" else tmp_path / "attention.pth"
    if model == "attention":  # its bytes depend on how many threads share an operator
        network = make_second(embed_dim=48, depths=(2, 2), spatial_attn=True, res_scale=0.3)
        torch.save({"params": network.state_dict(), "arch_config": network.arch_config()}, path)
    spec = ModelSpec(path)
    jobs = some(tmp_path / "in", 6, height=211)
    alone = to(tmp_path / "in", tmp_path / "alone")
    upscaled_alone(spec, alone)
    with team_for(spec, workers=3) as team:
        assert Counter(outcome.state for outcome in team.upscale(jobs)) == {"written": 5, "failed": 1}
    assert contents(jobs) == contents(alone)


def alive(parent: int) -> list[int]:
    """Return the processes below another that are no zombies (Linux)."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, above = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(above) == parent and state != "Z":
            found += [int(stat.parent.name), *alive(int(stat.parent.name))]
    return found


def gone(processes: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(Path(f"/proc/{process}").exists() for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the process table of Linux")
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.release)]
)
def test_a_command_that_is_ended_ends_its_workers_and_leaves_nothing(
    number: signal.Signals, artifacts: Artifacts, tmp_path: Path
) -> None:
    some(tmp_path / "in", 100)
    out = tmp_path / "out"
    command = start(
        "upscale", tmp_path / "in", "-o", out, "-m", artifacts.tiny_float, "--device", "cpu", "--workers", 2
    )
    while not (out.is_dir() and any(out.glob("*.png"))):
        assert command.poll() is None
        time.sleep(0.02)
    below = alive(command.pid)
    assert len(below) >= 2
    command.send_signal(number)
    _, said = command.communicate(timeout=20)
    assert command.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert gone(below, seconds=10)
    assert "Traceback" not in said
    assert len(list(out.glob("*.png"))) < 99
    if number != signal.SIGKILL:
        assert hidden(out) == []
