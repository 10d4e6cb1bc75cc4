"""Building real engines, which TensorRT for RTX does without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch

from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.engines import build as build_module
from spandrel_aethernet.engines.build import BuildReport, build_engine
from spandrel_aethernet.engines.build_plan import BuildOptions, plan_build
from spandrel_aethernet.engines.header import Header, read_header
from spandrel_aethernet.engines.profile import Shapes
from spandrel_aethernet.engines.runtime import find_runtime
from spandrel_aethernet.engines.sidecar import EngineInfo, read_sidecar, sidecar_path
from spandrel_aethernet.errors import ArgumentError, EngineError, OutputError
from spandrel_aethernet.files import sha256
from spandrel_aethernet.images.files import Picture, write_picture
from spandrel_aethernet.model.io import load_model
from spandrel_aethernet.onnx_export.export import export_network
from spandrel_aethernet.onnx_model.metadata import read_metadata, write_metadata
from spandrel_aethernet.progress import Silent
from spandrel_aethernet.shapes import Profile, Range

from ..conftest import make_network
from ..images.pictures import photograph
from .networks import upscaler, with_unknown_operator

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


def check_report(report: BuildReport, source: Path, precision: str) -> None:
    """What holds of an engine of any network in any precision, without targets that it is worse for."""
    info = report.info
    assert read_header(report.path) == Header("rtx", info.version)
    assert read_sidecar(report.path) == info
    assert (str(info.precision), info.scale, info.channels) == (precision, 2, 3)
    assert (info.input_name, info.output_name, info.profile) == ("input", "output", Profile())
    assert (info.runtime, info.version) == ("rtx", find_runtime("rtx").version)
    assert (info.source, info.source_sha256) == (source.name, sha256(source))
    assert info.layers is not None
    assert info.layers.get("int8", 0) == info.operators.get("int8", 0)
    assert info.fell_back == ()
    assert 0 < info.build_seconds < 120
    assert set(report.warnings) == (UNAVOIDABLE if precision == "fp16-int8" else set())


@pytest.mark.parametrize(
    ("precision", "operators", "layers"),
    [
        ("fp32", {"fp32": 13}, {"fp32"}),
        ("fp16", {"fp16": 13}, {"fp16"}),
        ("fp32-int8", {"int8": 6, "fp32": 5}, {"int8", "fp32"}),
        ("fp16-int8", {"int8": 7, "fp16": 4}, {"int8", "fp16", "fp32"}),
    ],
)
def test_each_precision(
    precision: str, operators: Mapping[str, int], layers: set[str], artifacts: Artifacts
) -> None:
    report = artifacts.engine_report(precision)
    check_report(report, artifacts.onnx(precision), precision)
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("target", ALL)
def test_the_demo_model_for_each_target(target: str, artifacts: Artifacts, tmp_path: Path) -> None:
    source = artifacts.onnx("fp16-int8", "demo")
    check_target(build_engine(source, tmp_path / "a.engine", BuildOptions(targets=target)), target, 17)


def test_several_targets_at_once(artifacts: Artifacts, tmp_path: Path) -> None:
    source = artifacts.onnx("fp16")
    asked = ["RTX 2080 Ti", "sm80", "8.6", "RTX4090", "120", "RTX 3060"]
    some = build_engine(source, tmp_path / "some.engine", BuildOptions(targets=asked))
    assert some.info.targets == ("7.5", "8.0", "8.6", "8.9", "12.0")
    every = artifacts.engine_report("fp16")
    assert every.info.targets == ALL
    assert every.notes == ()


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


def facts(info: EngineInfo) -> dict[str, Any]:
    """What does not depend on where a model is from, and when it was built."""
    kept = ("operators", "layers", "profile", "scale", "channels", "targets", "precision", "input_name")
    return {name: getattr(info, name) for name in kept}


def test_network_and_model_in_memory_make_the_same_engine(artifacts: Artifacts, tmp_path: Path) -> None:
    model, network = onnx.load(artifacts.onnx("fp16")), load_model(artifacts.tiny)
    from_model = build_engine(model, tmp_path / "model.engine", RTX_30).info
    from_network = build_engine(network, tmp_path / "network.engine", RTX_30, precision="fp16").info
    assert facts(from_model) == facts(from_network)
    assert from_model.source == "model.onnx"
    assert from_network.source.endswith("2x.safetensors")


def test_what_is_in_memory_can_be_named(tmp_path: Path) -> None:
    model = onnx.load(upscaler(tmp_path / "small.onnx"))
    before = model.SerializeToString()
    report = build_engine(model, tmp_path / "a.engine", RTX_30, name="another.onnx")
    assert report.info.source == "another.onnx"
    assert report.info.source_sha256 == sha256(tmp_path / "small.onnx")
    assert model.SerializeToString() == before


def test_external_data_and_models_too_large_for_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = upscaler(tmp_path / "whole.onnx")
    apart = tmp_path / "apart.onnx"
    onnx.save(onnx.load(whole), apart, save_as_external_data=True, location="apart.data", size_threshold=0)
    expected = build_engine(whole, tmp_path / "whole.engine", RTX_30).info
    in_memory = build_engine(apart, tmp_path / "memory.engine", RTX_30).info
    monkeypatch.setattr(build_module, "MODEL_BYTES", 100)  # instead of 2 GB
    as_file = build_engine(apart, tmp_path / "file.engine", RTX_30).info
    assert facts(in_memory) == facts(as_file) == facts(expected)
    assert as_file.source_sha256 == sha256(apart)


def test_every_reason_is_told(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "small.onnx")
    options = BuildOptions(targets=["9.9"], shapes=Shapes(max="1x5x64x64"), timing_cache=tmp_path / "timings")
    plan = plan_build(source, options)
    wrong = ["the max shape 1x5x64x64 does not fit", "does not build for 9.9"]
    assert [any(text in str(problem) for problem in plan.problems) for text in wrong] == [True, True]
    assert len(plan.problems) == 2
    assert [str(note) for note in plan.notes] == [
        "TensorRT for RTX times nothing while it builds: timing_cache is not used"
    ]
    with pytest.raises(EngineError, match=r"is 3, not 5 \(the first of 2 reasons\): dry_run=True lists them"):
        build_engine(source, tmp_path / "small.engine", options)
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]


def test_refusals_come_before_any_work(tmp_path: Path) -> None:
    target = tmp_path / "small.engine"
    with pytest.raises(ArgumentError, match="optimization_level is 6: expected one of None, 0, 1, 2"):
        BuildOptions(optimization_level=6)
    with pytest.raises(ArgumentError, match="workspace is 0: expected MiB from 1 on, or None"):
        BuildOptions(workspace=0)
    with pytest.raises(EngineError, match="'Radeon' is no GPU that is known here"):
        build_engine("missing.pth", target, BuildOptions(targets="Radeon"))
    with pytest.raises(OutputError, match="is not named like an engine"):
        build_engine("missing.pth", tmp_path / "small.onnx")
    target.touch()
    with pytest.raises(OutputError, match="exists and is kept"):
        build_engine("missing.pth", target)
    target.unlink()
    sidecar_path(target).mkdir()
    with pytest.raises(OutputError, match="json is a folder"):
        build_engine("missing.pth", target, force=True)


def test_what_the_parser_refuses_is_said_with_its_node(tmp_path: Path) -> None:
    source = with_unknown_operator(tmp_path / "odd.onnx")
    with pytest.raises(EngineError, match=r"TensorRT for RTX .* refuses odd\.onnx: at odd_one \(Bernoulli\)"):
        build_engine(source, tmp_path / "odd.engine", RTX_30)
    assert [path.name for path in tmp_path.iterdir()] == ["odd.onnx"]


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


def test_a_file_of_one_size_and_other_names(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "fixed.onnx", shape=(2, 4, 48, 64), input_name="main:image")
    info = build_engine(source, tmp_path / "fixed.engine", RTX_30).info
    assert (info.input_name, info.channels, info.scale) == ("main:image", 4, 2)
    assert info.profile == Profile(Range.only(2), Range.only(48), Range.only(64))


def test_given_shapes_win_over_the_file_and_it_over_the_published_ones(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    half_open = upscaler(tmp_path / "half_open.onnx", shape=(1, 3, "height", "width"))
    shapes = Shapes(opt="input:1x3x64x96", max="1x3x2160x3840")
    info = build_engine(half_open, tmp_path / "a.engine", replace(RTX_30, shapes=shapes)).info
    assert info.profile == Profile(Range.only(1), Range(32, 64, 2160), Range(32, 96, 3840))
    own = Profile(Range(1, 2, 4), Range(16, 64, 128), Range(16, 64, 128))
    model = onnx.load(artifacts.onnx("fp32"))
    metadata = read_metadata(model)
    assert metadata is not None
    write_metadata(model, replace(metadata, profile=own))
    assert plan_build(model, RTX_30).profile == own


def test_options_reach_the_builder(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "small.onnx")
    said: list[str] = []
    options = replace(RTX_30, workspace=4096, optimization_level=0, timing_cache=tmp_path / "timings.bin")
    report = build_engine(
        source,
        tmp_path / "small.engine",
        options,
        verbose=True,
        on_message=lambda severity, text: said.append(f"{severity}: {text}"),
    )
    assert any(line.startswith("verbose: ") for line in said)
    assert any(line.startswith("info: ") for line in said)
    (note,) = report.notes
    assert str(note) == "TensorRT for RTX times nothing while it builds: timing_cache is not used"
    assert report.timing_cache is None
    assert not (tmp_path / "timings.bin").exists()


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"embed_dim": 128, "depths": (6,) * 6, "lk_kernel": 11},
        {"embed_dim": 180, "depths": (8,) * 8, "mlp_ratio": 2.5, "lk_kernel": 13},
    ],
    ids=["medium", "large"],
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
