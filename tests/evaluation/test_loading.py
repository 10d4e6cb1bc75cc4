"""What passes before the first image is timed, each thing in a fresh process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spandrel_aethernet.errors import CheckpointError
from spandrel_aethernet.evaluation.loading import Figure, Timer, measure

from ..artifacts import Artifacts
from ..conftest import Result

TINY = {"embed_dim": 8, "depths": (1,), "mlp_ratio": 1.0, "lk_kernel": 5}


def test_a_figure_is_told_with_its_bound() -> None:
    figure = Figure("load", 3.0, [1.0, 6.0, 5.0], [2.0, 2.0, 2.0])
    assert json.loads(json.dumps(figure.describe())) == {
        "name": "load",
        "seconds": 5.0,
        "bound_seconds": 3.0,
        "ratio": 5 / 3,
        "passes": [1.0, 6.0, 5.0],
        "reference_passes": [2.0, 2.0, 2.0],
    }


def test_loads_take_turns_and_the_first_of_each_does_not_count(artifacts: Artifacts) -> None:
    turns = Timer().loads(artifacts.tiny, 2)
    assert len(turns) == 2
    assert all(seconds > 0 for turn in turns for seconds in turn)


def test_calibration_runs_the_bundled_photographs() -> None:
    assert Timer().calibrate(TINY) > 0


@pytest.mark.release  # it comes after the imports, each in a process
def test_what_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.pth cannot be read"):
        measure(tmp_path / "gone.pth", repeats=1)


@pytest.mark.release  # a process for each
def test_all_figures_of_a_checkpoint(artifacts: Artifacts) -> None:
    figures = {figure.name: figure for figure in measure(artifacts.tiny, calibrated=TINY, repeats=1)}
    assert [*figures] == [
        "import, beyond that of spandrel",
        "load and fuse",
        "export, opset 17",
        "export, opset 17, in a process that did nothing before",
        "export, opset 17, and compare",
        "export, opset 20",
        "export, opset 20, in a process that did nothing before",
        "export, opset 20, and compare",
        "calibrate",
    ]
    assert all(figure.seconds > 0 for figure in figures.values())
    load = figures["load and fuse"]
    assert load.bound == 1.5 * load.reference[0]


def test_two_files_are_refused(aethernet: Callable[..., Result]) -> None:
    result = aethernet("benchmark", "--loading", "first.pth", "second.pth")
    assert (result.code, result.out) == (1, "")
    assert "2 files: expected one checkpoint to be loaded and exported" in result.err
