"""What travels to workers, and files that a worker made before it died."""

from __future__ import annotations

import inspect
import os
import pickle
from dataclasses import fields
from pathlib import Path

from spandrel_aethernet.errors import AetherError, Hint, OutputError
from spandrel_aethernet.inference.image_files import FileOptions
from spandrel_aethernet.inference.open import open_model
from spandrel_aethernet.workers.tasks import ImageTask, ModelSpec

from ..inference.backends import Repeat
from .files import contents, some

OPTIONS = FileOptions(tile=64, overlap=4)


def test_a_model_is_told_all_that_it_is_opened_with() -> None:
    parameters = {**inspect.signature(open_model).parameters}
    del parameters["progress"]
    defaults = {field.name: field.default for field in fields(ModelSpec) if field.name != "path"}
    assert {"path", *defaults} == {*parameters}
    assert all(parameters[name].default == default for name, default in defaults.items())


def test_what_travels_arrives_as_it_was(tmp_path: Path) -> None:
    task = ImageTask.of(some(tmp_path / "in", 3), OPTIONS)
    assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301
    for error in (AetherError("so it is", Hint("give {tile}", tile=64)), OutputError("so it is", Hint("no"))):
        arrived = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (type(arrived), str(arrived)) == (type(error), str(error))


def test_what_was_made_since_the_files_were_dealt_out_is_not_made_again(tmp_path: Path) -> None:
    jobs = some(tmp_path / "in", 4)
    jobs[0].target.parent.mkdir()
    jobs[0].target.write_bytes(b"from before")
    task = ImageTask.of(jobs, OPTIONS)
    jobs[1].target.write_bytes(b"by one that died")
    outcomes = task.run(Repeat())
    assert [outcome.state for outcome in outcomes] == ["skipped", "written", "written", "written"]
    assert [outcome.job for outcome in outcomes] == jobs
    assert contents(jobs)[:2] == [b"from before", b"by one that died"]
    forced = ImageTask.of(jobs, FileOptions(tile=64, overlap=4, force=True))
    assert {outcome.state for outcome in forced.run(Repeat())} == {"written"}
    assert b"by one that died" not in contents(jobs)


def test_a_newer_file_that_was_made_again_before_its_worker_died_counts_as_written(tmp_path: Path) -> None:
    (job,) = some(tmp_path / "in", 1)
    job.target.parent.mkdir()
    job.target.write_bytes(b"old")
    os.utime(job.target, (10**9, 10**9))
    task = ImageTask.of([job], FileOptions(tile=64, overlap=4, if_newer=True))
    job.target.write_bytes(b"new")
    assert [outcome.state for outcome in task.run(Repeat())] == ["written"]
    assert contents([job]) == [b"new"]


def test_parts_are_single_files_and_fail_by_name(tmp_path: Path) -> None:
    jobs = some(tmp_path / "in", 3)
    parts = ImageTask.of(jobs, OPTIONS).parts()
    assert [part.jobs for part in parts] == [(job,) for job in jobs]
    (outcome,) = parts[1].failed("it was so")
    assert outcome.state == "failed"
    assert str(outcome.message) == f"{jobs[1].source}: it was so"
