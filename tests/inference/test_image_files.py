"""Files through the pipeline: what is kept, skipped, refused, and what memory it takes."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from spandrel_aethernet.errors import ImageError, OutputError
from spandrel_aethernet.images.files import Picture, read_picture, write_picture
from spandrel_aethernet.images.resize import Size
from spandrel_aethernet.inference.image_files import FileOptions, upscale_file, upscale_files
from spandrel_aethernet.inference.jobs import Job
from spandrel_aethernet.inference.pipeline import Threads
from spandrel_aethernet.progress import Silent

from ..images.pictures import photograph
from .backends import Repeat

OPTIONS = FileOptions(tile=40, overlap=4)


def some(folder: Path, count: int, side: int = 12) -> list[Job]:
    folder.mkdir()
    for index in range(count):
        write_picture(Picture(photograph(side, side) // 2 + np.uint8(index)), folder / f"{index}.png")
    return [Job(folder / f"{index}.png", folder / "out" / f"{index}.png") for index in range(count)]


@pytest.mark.parametrize("threads", [Threads(1, 1), Threads(3, 4)])
def test_every_file_becomes_its_own_larger_one(threads: Threads, tmp_path: Path) -> None:
    jobs = some(tmp_path / "in", 12)
    jobs[4].source.write_bytes(b"no image")
    outcomes = list(upscale_files(jobs, Repeat(max_batch=4), OPTIONS, threads=threads))
    assert [outcome.job for outcome in outcomes] == jobs
    assert [outcome.state for outcome in outcomes] == ["written"] * 4 + ["failed"] + ["written"] * 7
    assert "4.png cannot be read as an image" in str(outcomes[4].message)
    for job in jobs[:4] + jobs[5:]:
        expected = read_picture(job.source).pixels.repeat(2, axis=0).repeat(2, axis=1)
        assert np.array_equal(read_picture(job.target).pixels, expected)
    assert len(list((tmp_path / "in" / "out").iterdir())) == 11


def test_an_error_of_the_network_names_its_file_and_the_rest_goes_on(tmp_path: Path) -> None:
    jobs = some(tmp_path / "in", 3)
    write_picture(Picture(np.zeros((12, 12, 3), np.uint8)), jobs[1].source, force=True)

    class NoBlack(Repeat):
        def forward(self, batch: Tensor) -> Tensor:
            return super().forward(batch) / (0 if batch.max() == 0 else 1)

    outcomes = list(upscale_files(jobs, NoBlack(), OPTIONS))
    assert [outcome.state for outcome in outcomes] == ["written", "failed", "written"]
    assert str(outcomes[1].message).startswith(f"{jobs[1].source}: the network's output is not finite")
    with pytest.raises(ImageError, match="not finite"):
        upscale_file(jobs[1], NoBlack(), OPTIONS)


def test_what_exists_is_not_even_read(tmp_path: Path) -> None:
    jobs = some(tmp_path / "in", 2)
    jobs[0].target.parent.mkdir()
    jobs[0].target.write_bytes(b"from before")
    jobs[0].source.write_bytes(b"no image")
    outcomes = list(upscale_files(jobs, Repeat(), OPTIONS))
    assert [outcome.state for outcome in outcomes] == ["skipped", "written"]
    assert jobs[0].target.read_bytes() == b"from before"
    with pytest.raises(OutputError, match="exists and is kept"):
        upscale_file(jobs[1], Repeat(), OPTIONS)


@pytest.mark.parametrize(("height", "passes"), [(20, 1), (24, 1), (25, 2), (90, 3)])
def test_a_network_runs_as_often_as_a_size_needs(height: int, passes: int, tmp_path: Path) -> None:
    (job,) = some(tmp_path / "in", 1)
    told: list[object] = []

    class Told(Silent):
        def begin(self, step: str, total: int, *, within: str | None = None) -> None:
            told.append((step, total, within))

        def advance(self, step: str | None = None) -> None:
            told.append(step)

    backend = Repeat()
    options = FileOptions(tile=100, overlap=4, size=Size(height=height))
    written = upscale_file(job, backend, options, progress=Told()).pixels
    assert written.shape == (height, height, 3)
    assert np.array_equal(read_picture(job.target).pixels, written)
    assert [shape[2] for shape in backend.shapes] == [12 * 2**done for done in range(passes)]
    assert told[0] == ("0.png", passes, None)
    assert len(told) == 1 + passes


@pytest.mark.slow
def test_no_more_files_are_in_memory_than_the_threads_hold(tmp_path: Path) -> None:
    """Three hundred files: how many pictures are alive does not grow with them."""
    (job,) = some(tmp_path / "in", 1)
    most = 0

    def jobs() -> Iterator[Job]:
        nonlocal most
        for index in range(300):
            if index in (50, 150, 299):
                gc.collect()
                most = max(most, sum(type(thing) is Picture for thing in gc.get_objects()))
            yield Job(job.source, tmp_path / "out" / f"{index}.png")

    outcomes = list(upscale_files(jobs(), Repeat(), OPTIONS, threads=Threads(2, 2)))
    assert {outcome.state for outcome in outcomes} == {"written"}
    assert most <= 2 * 2 + 3 + 2 * 2 + 2


def test_closing_it_ends_everything_and_leaves_no_partial_file(tmp_path: Path) -> None:
    jobs = some(tmp_path / "in", 40)
    with closing(upscale_files(jobs, Repeat(), OPTIONS, threads=Threads(2, 2))) as running:
        assert next(running).state == "written"
    assert not [
        thread for thread in threading.enumerate() if thread.daemon and thread.name.startswith("ahead")
    ]
    written = list((tmp_path / "in" / "out").iterdir())
    assert 1 <= len(written) < 40
    assert all(read_picture(path).pixels.shape == (24, 24, 3) for path in written)
