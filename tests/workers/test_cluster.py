"""A Ray cluster of this machine: the same bytes, nothing lost, what nodes lack."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from spandrel_aethernet import __version__
from spandrel_aethernet.errors import AetherError
from spandrel_aethernet.files import sha256
from spandrel_aethernet.inference.image_files import FileOptions
from spandrel_aethernet.workers.cluster import LOCAL
from spandrel_aethernet.workers.nodes import lack_of_node
from spandrel_aethernet.workers.tasks import ModelSpec
from spandrel_aethernet.workers.team import Team, team_for

from ..artifacts import Artifacts
from ..conftest import start
from .files import Steps, contents, hidden, some, to
from .test_processes import alive, gone, upscaled_alone


@pytest.fixture(scope="module")
def team(artifacts: Artifacts) -> Generator[Team]:
    pytest.importorskip("ray")
    with team_for(ModelSpec(artifacts.tiny_float, device="cpu"), workers=2, ray=LOCAL) as team:
        yield team


@pytest.mark.slow
def test_two_ray_workers_write_what_one_process_writes(
    team: Team, artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some(tmp_path / "in", 12)
    monkeypatch.chdir(tmp_path)  # paths are sent as absolute ones
    jobs, alone = to(Path("in"), Path("out")), to(Path("in"), Path("alone"))
    expected = upscaled_alone(ModelSpec(artifacts.tiny_float, device="cpu"), alone)
    outcomes = list(team.upscale(jobs, FileOptions()))
    assert Counter(outcome.state for outcome in outcomes) == expected == {"written": 11, "failed": 1}
    assert {outcome.job for outcome in outcomes} == {*jobs}
    assert contents(jobs) == contents(alone)
    assert Counter(outcome.state for outcome in team.upscale(jobs)) == {"skipped": 11, "failed": 1}


@pytest.mark.slow
def test_a_ray_worker_that_is_killed_is_replaced_and_nothing_is_lost(team: Team, tmp_path: Path) -> None:
    jobs = some(tmp_path / "in", 60)
    (who,) = team.run([Steps((1,))])
    states: Counter[str] = Counter()
    for number, outcome in enumerate(team.upscale(jobs)):
        if number == 0:
            os.kill(int(who.partition(" by ")[2]), signal.SIGKILL)
        states[outcome.state] += 1
    assert states == {"written": 59, "failed": 1}
    assert len([content for content in contents(jobs) if content]) == 59


@pytest.mark.slow
def test_what_a_ray_worker_raises_arrives(team: Team) -> None:
    with pytest.raises(AetherError, match="it cannot be: give force=True"):
        list(team.run([Steps((1,), raising="aether")]))
    with pytest.raises(Exception, match="ValueError: a mistake"):
        list(team.run([Steps((1,), raising="a mistake")]))


@pytest.mark.release
def test_what_every_ray_worker_dies_of_fails_by_itself(team: Team) -> None:
    results = list(team.run([Steps((1, 2), deadly=2), Steps((3,), deadly=2)]))
    assert sorted(int(result.split()[0]) for result in results) == [1, 2, 3]
    (failed,) = [result for result in results if "failed" in result]
    assert failed.startswith("2 failed: every worker that had it ended: Ray ran it 3 times")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the process table of Linux")
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, marks=pytest.mark.release),
    ],
)
def test_a_command_that_is_ended_ends_its_cluster(
    number: signal.Signals, artifacts: Artifacts, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    some(tmp_path / "in", 200)
    out = tmp_path / "out"
    command = start(
        "upscale", tmp_path / "in", "-o", out, "-m", artifacts.tiny_float, "--device", "cpu", "--ray"
    )
    while not (out.is_dir() and any(out.glob("*.png"))):
        assert command.poll() is None
        time.sleep(0.02)
    below = alive(command.pid)
    command.send_signal(number)
    _, said = command.communicate(timeout=30)
    assert command.returncode == (-9 if number == signal.SIGKILL else 130)
    assert gone(below, seconds=10 if number == signal.SIGINT else 150), "Ray's own wait a minute for its head"
    assert "Traceback" not in said
    assert len(list(out.glob("*.png"))) < 199
    if number == signal.SIGINT:
        assert said.endswith("aethernet: cancelled\n")
        assert len(hidden(out)) <= 1, "a write that was cut short, for the next run to remove"


def test_a_node_tells_what_it_lacks(tmp_path: Path) -> None:
    lack = lack_of_node()
    model, token = tmp_path / "model.pth", tmp_path / "token"
    model.write_bytes(b"weights")
    token.touch()
    told = (__version__, str(model), sha256(model), str(token))
    assert lack(*told) is None
    assert list(tmp_path.iterdir()) in ([model, token], [token, model])
    assert "and this machine 99: install the same" in (lack("99", *told[1:]) or "")
    gone_model = lack(__version__, str(tmp_path / "gone.pth"), *told[2:])
    assert gone_model is not None
    assert "gone.pth (No such file or directory): put it into a folder that all nodes share" in gone_model
    assert "has another" in (lack(*told[:2], "0" * 64, told[3]) or "")
    elsewhere = lack(*told[:3], str(tmp_path / "other" / "token"))
    assert elsewhere is not None
    assert f"does not see what this machine writes to {tmp_path / 'other'}" in elsewhere


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("in", "'in' is no address of a Ray cluster"),
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1: "),
    ],
)
def test_a_cluster_that_is_not_there_is_said_before_any_work(
    address: str, sentence: str, artifacts: Artifacts
) -> None:
    pytest.importorskip("ray")
    with (
        pytest.raises(AetherError, match=sentence),
        team_for(ModelSpec(artifacts.tiny_float), ray=address),
    ):
        raise AssertionError
