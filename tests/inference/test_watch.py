"""A folder that is watched: what is there, what appears, and that nothing is taken before it is whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest

from spandrel_aethernet.errors import ArgumentError
from spandrel_aethernet.inference.jobs import Job
from spandrel_aethernet.inference.watch import watched_jobs

pytest.importorskip("watchfiles")


@contextmanager
def watching(folder: Path, output: Path) -> Generator[SimpleQueue[list[Job]]]:
    found: SimpleQueue[list[Job]] = SimpleQueue()
    stop = threading.Event()

    def watch() -> None:
        for jobs in watched_jobs([folder], output, settle=0.5, stop=stop):
            found.put(jobs)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


@pytest.mark.slow
def test_what_appears_is_taken_once_it_is_whole(tmp_path: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / "in" / "larger"
    output.mkdir(parents=True)
    (folder / "there.png").touch()
    with watching(folder, output) as found:
        assert [job.source.name for job in found.get(timeout=20)] == ["there.png"]
        (folder / "deep").mkdir()
        (output / "there.png").touch()  # what is written is no input
        (folder / "notes.txt").touch()
        time.sleep(0.5)
        with (folder / "deep" / "slow.jpg").open("wb") as file:
            for _ in range(6):
                file.write(b"a part")
                file.flush()
                time.sleep(0.25)
                assert found.empty(), "it is still growing"
        (job,) = found.get(timeout=20)
        assert job == Job(folder / "deep" / "slow.jpg", output / "deep" / "slow.png")
        (folder / "clip.avi").touch()
        (job,) = found.get(timeout=20)
        assert job == Job(folder / "clip.avi", output / "clip.mkv")
        assert found.empty()


def test_only_folders_are_watched(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(ArgumentError, match=r"a\.png is not a folder, and only folders are watched"):
        next(watched_jobs([tmp_path / "a.png"], tmp_path / "out"))
