"""Building real engines, which TensorRT for RTX does without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.engines.build import BuildReport, build_engine
from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.header import Header, read_header
from spandrel_aethernet.engines.runtime import find_runtime
from spandrel_aethernet.engines.sidecar import read_sidecar, sidecar_path
from spandrel_aethernet.files import sha256
from spandrel_aethernet.images.files import Picture, write_picture
from spandrel_aethernet.onnx_export.export import export_network
from spandrel_aethernet.progress import Silent
from spandrel_aethernet.shapes import Profile

from ..conftest import make_network
from ..images.pictures import photograph
from .networks import upscaler

if TYPE_CHECKING:
    from ..artifacts import Artifacts

pytest.importorskip("tensorrt_rtx")

RTX_30 = BuildOptions(runtime="rtx", targets=["8.6"])
ALL = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
UNAVOIDABLE = {"Converting conv activation scales to fp32", "Converting conv weight scales to fp32"}
"""Said of every INT8 convolution with FP16 scales, which strong typing asks for in an FP16 body."""


class Steps(Silent):
    """Notes which steps are begun, as they lie in each other, and what is left of them."""

    def __init__(self) -> None:
        self.within: dict[str, str | None] = {}
        self.left: dict[str, int] = {}
        self.advanced = self.polls = 0

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:
        assert total > 0
        assert within is None or within in self.within
        self.within[step], self.left[step] = within, total

    def advance(self, step: str | None = None) -> None:
        name = step or list(self.left)[-1]
        assert self.left[name] > 0
        self.left[name] -= 1
        self.advanced += 1

    def poll(self) -> None:
        self.polls += 1


def check_report(report: BuildReport, source: Path, precision: str, *, joined: int = 0) -> None:
    """What holds of an engine of any network in any precision, without targets that it is worse for."""
    info = report.info
    assert read_header(report.path) == Header("rtx", info.version)
    assert read_sidecar(report.path) == info
    assert (str(info.precision), info.scale, info.channels) == (precision, 2, 3)
    assert (info.input_name, info.output_name, info.profile) == ("input", "output", Profile())
    assert (info.runtime, info.version) == ("rtx", find_runtime("rtx").version)
    assert (info.source, info.source_sha256) == (source.name, sha256(source))
    assert info.layers is not None
    assert info.layers.get("int8", 0) == info.operators.get("int8", 0) - joined
    assert info.fell_back == ()
    assert 0 < info.build_seconds < 120
    assert set(report.warnings) == (UNAVOIDABLE if precision == "fp16-int8" else set())


@pytest.mark.parametrize(
    ("precision", "operators", "layers"),
    [
        pytest.param("fp32", {"fp32": 13}, {"fp32"}, marks=pytest.mark.slow),
        pytest.param("fp16", {"fp16": 13}, {"fp16"}, marks=pytest.mark.slow),
        pytest.param("fp32-int8", {"int8": 8, "fp32": 5}, {"int8", "fp32"}, marks=pytest.mark.slow),
        ("fp16-int8", {"int8": 7, "fp16": 4}, {"int8", "fp16", "fp32"}),
    ],
)
def test_each_precision(
    precision: str, operators: Mapping[str, int], layers: set[str], artifacts: Artifacts
) -> None:
    report = artifacts.engine_report(precision)
    # Of a file for ONNX Runtime TensorRT makes one layer of gate and main, in each of two blocks.
    joined = 2 if precision == "fp32-int8" else 0
    check_report(report, artifacts.onnx(precision), precision, joined=joined)
    assert report.info.operators == operators
    assert report.info.layers is not None
    assert set(report.info.layers) == layers


@pytest.mark.slow
def test_the_demo_model(artifacts: Artifacts) -> None:
    report = artifacts.engine_report("fp16-int8", "demo")
    check_report(report, artifacts.onnx("fp16-int8", "demo"), "fp16-int8")
    assert report.info.targets == ALL[1:]
    assert report.info.operators == {"int8": 49, "fp16": 4}
    assert report.path.stat().st_size > 4_000_000


@pytest.mark.release
@pytest.mark.parametrize(
    ("precision", "operators"),
    [("fp32", {"fp32": 69}), ("fp16", {"fp16": 69}), ("fp32-int8", {"int8": 49, "fp32": 4})],
)
def test_the_demo_model_in_other_precisions(
    precision: str, operators: Mapping[str, int], tmp_path: Path
) -> None:
    report = build_engine(DEMO_MODEL, tmp_path / "a.engine", RTX_30, precision=precision)
    check_report(report, DEMO_MODEL, precision)
    assert report.info.operators == operators
    assert report.notes == ()


def check_target(report: BuildReport, target: str, in_float: int) -> None:
    """One target alone; the oldest has no INT8 convolutions."""
    operators, in_float = report.info.operators["int8"], in_float if target == "7.5" else 0
    assert report.info.targets == (target,)
    assert report.info.layers is not None
    assert len(report.info.fell_back) == in_float
    assert report.info.layers["int8"] == operators - in_float
    assert set(report.warnings) <= UNAVOIDABLE
    assert report.notes == ()


@pytest.mark.parametrize("target", ALL)
def test_each_target(target: str, artifacts: Artifacts, tmp_path: Path) -> None:
    source = artifacts.onnx("fp16-int8")
    check_target(build_engine(source, tmp_path / "a.engine", BuildOptions(targets=target)), target, 3)


@pytest.mark.release
@pytest.mark.parametrize("target", ALL)
def test_the_demo_model_for_each_target(target: str, artifacts: Artifacts, tmp_path: Path) -> None:
    source = artifacts.onnx("fp16-int8", "demo")
    check_target(build_engine(source, tmp_path / "a.engine", BuildOptions(targets=target)), target, 17)


@pytest.mark.slow
def test_several_targets_at_once(artifacts: Artifacts, tmp_path: Path) -> None:
    source = artifacts.onnx("fp16")
    asked = ["RTX 2080 Ti", "sm80", "8.6", "RTX4090", "120", "RTX 3060"]
    some = build_engine(source, tmp_path / "some.engine", BuildOptions(targets=asked))
    assert some.info.targets == ("7.5", "8.0", "8.6", "8.9", "12.0")
    every = artifacts.engine_report("fp16")
    assert every.info.targets == ALL
    assert every.notes == ()


@pytest.mark.slow
def test_a_checkpoint_is_exported_on_the_way(artifacts: Artifacts, tmp_path: Path) -> None:
    source, steps = tmp_path / "small_3x.pth", Steps()
    network = make_network(embed_dim=8, depths=(1, 1), lk_kernel=5, scale=3, in_chans=1)
    torch.save(network.state_dict(), source)
    target = tmp_path / "new" / "small.engine"
    report = build_engine(source, target, RTX_30, calibration=artifacts.images, progress=steps)
    assert list(steps.within)[:4] == ["calibrating", "exporting", "verifying", "Building engine"]
    assert not any(steps.left.values())
    info = report.info
    assert (info.source, info.source_sha256) == ("small_3x.pth", sha256(source))
    assert (str(info.precision), info.scale, info.channels) == ("fp16-int8", 3, 1)


def test_the_oldest_target_is_left_out_where_it_costs_the_others(tmp_path: Path) -> None:
    products = upscaler(tmp_path / "products.onnx", product=True)
    convolution = upscaler(tmp_path / "convolution.onnx", np.float16, int8=True)
    for source, why in ((products, "no FP32 matrix products"), (convolution, "no INT8 convolutions")):
        report = build_engine(source, source.with_suffix(".engine"))
        assert report.info.targets == ALL[1:]
        (note,) = report.notes
        assert why in str(note)
        assert "7.5" in str(note)


def test_what_falls_back_to_float_is_named(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "small.onnx", np.float16, int8=True)
    report = build_engine(source, tmp_path / "small.engine", BuildOptions(targets=["7.5", "8.6"]))
    assert report.info.operators == {"int8": 1}
    assert report.info.fell_back == ("convolution",)
    assert "run the 1 INT8 convolutions in float" in str(report.notes[0])
    newer = build_engine(source, tmp_path / "newer.engine", RTX_30)
    assert newer.info.fell_back == ()


def test_phases_are_told_as_they_lie_in_each_other(tmp_path: Path) -> None:
    steps = Steps()
    build_engine(upscaler(tmp_path / "small.onnx"), tmp_path / "small.engine", RTX_30, progress=steps)
    assert not any(steps.left.values())
    assert steps.advanced > 10
    assert steps.polls > 0
    assert {None, "Building engine"} <= set(steps.within.values())


def test_force_replaces_both_files(tmp_path: Path) -> None:
    target = tmp_path / "small.engine"
    first = build_engine(upscaler(tmp_path / "a.onnx"), target, RTX_30).info
    second = build_engine(upscaler(tmp_path / "b.onnx", seed=1), target, RTX_30, force=True).info
    assert first.engine_sha256 != second.engine_sha256
    assert read_sidecar(target) == second
    assert sidecar_path(target).name == "small.engine.json"


@pytest.mark.parametrize(
    "hyperparameters",
    [
        pytest.param({"embed_dim": 128, "depths": (6,) * 6}, id="medium", marks=pytest.mark.release),
        pytest.param(
            {"embed_dim": 180, "depths": (8,) * 8, "mlp_ratio": 2.5, "lk_kernel": 13},
            id="large",
            marks=pytest.mark.release,
        ),
    ],
)
@pytest.mark.parametrize("precision", ["fp32", "fp16-int8"])
def test_larger_variants(hyperparameters: Mapping[str, object], precision: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_picture(Picture(photograph(48, 48)), photos / "one.png")
    network = make_network(**hyperparameters)
    # Not verified: what random weights make of INT8 says nothing.
    exported = export_network(
        network,
        precision=precision,
        calibration=photos,
        preset="tensorrt" if precision == "fp16-int8" else None,
        verified=False,
    )
    report = build_engine(exported.model, tmp_path / "large.engine")
    assert str(report.info.precision) == precision
    assert report.info.targets == ALL[1:]
    assert report.info.fell_back == ()
    assert set(report.warnings) <= UNAVOIDABLE
