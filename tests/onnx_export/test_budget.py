"""INT8 within a loss of quality, or for a gain in speed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest

from spandrel_aethernet import export_network
from spandrel_aethernet.data import DEMO_MODEL, PHOTOGRAPHS, original
from spandrel_aethernet.errors import ArgumentError, OnnxError
from spandrel_aethernet.model.generations import deployed, planned
from spandrel_aethernet.model.source import as_source
from spandrel_aethernet.onnx_export.budget import Budget, within
from spandrel_aethernet.onnx_export.calibration import calibration_images
from spandrel_aethernet.onnx_export.crops import crops
from spandrel_aethernet.onnx_export.export import Exported
from spandrel_aethernet.onnx_export.scales import OpScales, find_scales
from spandrel_aethernet.onnx_model.budget_table import BudgetTable
from spandrel_aethernet.onnx_model.metadata import read_metadata

from ..artifacts import Artifacts
from ..conftest import make_network
from .test_int8 import WITHOUT_QAT, kernels, mean_psnr, photographs

Chosen = tuple[list[OpScales], BudgetTable]


@pytest.fixture(scope="module")
def generous(artifacts: Artifacts) -> Exported:
    return export_network(artifacts.tiny, max_loss=60, calibration=artifacts.images)


@pytest.fixture
def choose(artifacts: Artifacts) -> Callable[..., Chosen]:
    """Choose for the shared tiny network, whose speed is told by how many operators are INT8."""
    source, images = as_source(artifacts.tiny), calibration_images(artifacts.images, 3)
    network = source.checkpoint.network()
    runnable = deployed(network, merged=True, for_cpu=True)
    ops = planned(network, "onnxruntime", source.checkpoint.ranges, budget=True)
    scales = find_scales(runnable, ops, source.checkpoint.ranges, images)

    def speed(chosen: Sequence[OpScales]) -> float:
        return 1 + len(chosen) / 10

    def chosen(*, max_loss: float | None = None, min_speedup: float | None = None) -> Chosen:
        budget = Budget(max_loss, min_speedup)
        return within(budget, runnable, scales, images, speed, scale=network.scale)

    return chosen


def test_all_is_int8_where_there_is_room(generous: Exported, tmp_path: Path) -> None:
    table = generous.report.metadata.budget
    assert table is not None
    assert all(row.int8 for row in table.rows)
    assert table.loss < 60
    assert table.speedup is not None
    assert sum(row.share for row in table.rows) == pytest.approx(1)
    found = kernels(generous.model, tmp_path)
    library: Any = onnxruntime
    dense = 0 if library.__version__.startswith("1.17.") else 3  # which has no such kernel for a float bias
    assert (found["QLinearConv"], found["MatMulIntegerToFloat"], found["MatMul"]) == (dense, 6, 0)
    assert len(generous.report.agreements) == 3, "it was compared with PyTorch, outputs in int8 included"


def test_the_table_is_in_the_file(generous: Exported) -> None:
    assert read_metadata(generous.model) == generous.report.metadata
    prices = [row.noise for row in generous.report.metadata.budget.rows]  # pyright: ignore[reportOptionalMemberAccess]
    assert prices[0] > prices[-1], "the cheapest come first"


@pytest.mark.parametrize("damage", [{"rows": 3}, {"loss": "much"}, {"rows": [{"operators": [1]}]}])
def test_a_damaged_table_is_refused(generous: Exported, damage: dict[str, Any]) -> None:
    table = generous.report.metadata.budget
    assert table is not None
    with pytest.raises((ValueError, KeyError)):
        BudgetTable.parse({**table.describe(), **damage})


def test_less_is_int8_where_there_is_less_room(choose: Callable[..., Chosen]) -> None:
    all_of_them, table = choose()
    half = table.loss / 2
    fewer, kept = choose(max_loss=half)
    assert 0 < len(fewer) < len(all_of_them)
    assert kept.loss <= half
    chosen = {name for row in kept.rows if row.int8 for name in row.operators}
    assert chosen == {entry.op.module for entry in fewer}


def test_no_more_is_int8_than_speed_asks_for(choose: Callable[..., Chosen]) -> None:
    chosen, table = choose(min_speedup=1.35)
    assert table.speedup == pytest.approx(1 + len(chosen) / 10)
    last = next(row for row in reversed(table.rows) if row.int8)
    assert 1 + (len(chosen) - len(last.operators)) / 10 < 1.35 <= 1 + len(chosen) / 10
    with pytest.raises(OnnxError, match=r"1\.\d+ times as fast as float here, .* expected 9 times"):
        choose(min_speedup=9)


def test_an_output_scale_is_measured_and_inputs_may_be_cut(choose: Callable[..., Chosen]) -> None:
    chosen, table = choose()
    with_output = {entry.op.module for entry in chosen if entry.output_scale is not None}
    assert with_output == {"conv_after_body", "conv_before_upsample.0", "upsample.0"}
    clips = {row.operators[0]: row.clip for row in table.rows}
    assert all(0.5 <= clip <= 1 for clip in clips.values())
    assert clips["conv_after_body"] == 1, "what training saw stays"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"max_loss": 0.0}, "max_loss is 0.0: expected more than 0"),
        ({"min_speedup": float("nan")}, "min_speedup is nan: expected more than 1"),
        ({"max_loss": 0.1, "precision": "fp32"}, "a budget is for INT8, and fp32 has none"),
        ({"min_speedup": 2.0, "preset": "tensorrt"}, "speed is measured in ONNX Runtime"),
    ],
)
def test_what_means_nothing_is_refused(asked: dict[str, Any], sentence: str, artifacts: Artifacts) -> None:
    with pytest.raises(ArgumentError, match=sentence):
        export_network(artifacts.tiny, **asked)


def test_nothing_to_tell_a_loss_by(artifacts: Artifacts) -> None:
    network = make_network(embed_dim=8, depths=(1,), lk_kernel=3, scale=1)
    with pytest.raises(ArgumentError, match="a network that enlarges nothing"):
        export_network(network, max_loss=0.1)
    with pytest.raises(ArgumentError, match="too small to tell a loss by"):
        crops(calibration_images(artifacts.images, 3), 64, 32)


@pytest.mark.release
def test_nothing_within_the_budget() -> None:
    network, images = as_source(DEMO_MODEL).checkpoint.network(), calibration_images(None, 3)
    runnable = deployed(network, merged=True, for_cpu=True)
    (op,) = (op for op in planned(network, "onnxruntime", None, budget=True) if op.module == "upsample.0")
    scales = find_scales(runnable, [op], None, images)
    with pytest.raises(OnnxError, match=r"within a loss of 0\.001 dB: the cheapest loses 0\.\d+ dB"):
        within(Budget(0.001), runnable, scales, images, None, scale=2)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(DEMO_MODEL, id="QAT", marks=pytest.mark.release),
        pytest.param(WITHOUT_QAT, id="float", marks=pytest.mark.release),
    ],
)
def test_a_budget_is_kept_on_photographs_that_were_not_calibrated_on(path: Path, tmp_path: Path) -> None:
    seen, most = PHOTOGRAPHS[::2], 0.05
    for name in seen:
        shutil.copy(original(name), tmp_path)
    exported = export_network(path, max_loss=most, calibration=tmp_path)
    in_float = export_network(path, precision="fp32", verified=False)
    table = exported.report.metadata.budget
    assert table is not None
    assert sum(row.share for row in table.rows if row.int8) > 0.7
    unseen = [number for number, name in enumerate(PHOTOGRAPHS) if name not in seen]
    lost = _psnr(in_float.model, unseen) - _psnr(exported.model, unseen)
    assert lost < 1.2 * most


def _psnr(model: onnx.ModelProto, numbers: Sequence[int]) -> float:
    library: Any = onnxruntime
    session = library.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    chosen = [photographs()[number] for number in numbers]
    return mean_psnr([session.run(None, {"input": low.numpy()})[0] for low, _ in chosen], chosen)
