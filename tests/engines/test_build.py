"""Building real engines, which TensorRT for RTX does without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spandrel_aethernet.engines.build import build_engine
from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.header import Header, read_header
from spandrel_aethernet.engines.profile import Shapes
from spandrel_aethernet.engines.runtime import find_flavour
from spandrel_aethernet.engines.sidecar import file_sha256, read_sidecar, sidecar_path
from spandrel_aethernet.images.files import Picture, write_picture
from spandrel_aethernet.onnx_export.export import Precision, export_onnx
from spandrel_aethernet.shapes import Profile, Span

from ..conftest import make_network
from ..images.pictures import photograph
from .networks import upscaler

pytest.importorskip("tensorrt_rtx")

RTX_30 = BuildOptions(runtime="rtx", targets=["8.6"])
ALL = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
UNAVOIDABLE = {"Converting conv activation scales to fp32", "Converting conv weight scales to fp32"}
"""Said of every INT8 convolution of a file with FP16 scales, which strong typing asks for in an FP16 body."""


@pytest.mark.parametrize(
    ("precision", "operators", "layers"),
    [
        ("fp32", {"fp32": 69}, {"fp32"}),
        ("fp16", {"fp16": 69}, {"fp16"}),
        ("fp32-int8", {"int8": 49, "fp32": 4}, {"int8", "fp32"}),
        ("fp16-int8", {"int8": 49, "fp16": 4}, {"int8", "fp16", "fp32"}),
    ],
)
def test_the_demo_model_in_each_precision(
    precision: str,
    operators: Mapping[str, int],
    layers: set[str],
    demo_onnx: Mapping[str, Path],
    tmp_path: Path,
) -> None:
    target = tmp_path / "demo.engine"
    report = build_engine(demo_onnx[precision], target, RTX_30)
    info = report.info
    assert target.stat().st_size > 4_000_000
    assert read_header(target) == Header("rtx", info.version)
    assert read_sidecar(target) == info
    assert (info.precision, info.scale, info.channels) == (precision, 2, 3)
    assert (info.input_name, info.output_name, info.profile) == ("input", "output", Profile())
    assert (info.flavour, info.version, info.targets) == ("rtx", find_flavour("rtx").version, ("8.6",))
    assert (info.source, info.source_sha256) == (f"{precision}.onnx", file_sha256(demo_onnx[precision]))
    assert info.operators == operators
    assert info.layers is not None
    assert set(info.layers) == layers
    assert info.layers.get("int8", 0) == operators.get("int8", 0)
    assert info.fell_back == ()
    assert 0 < info.build_seconds < 120
    assert set(report.warnings) == (UNAVOIDABLE if precision == "fp16-int8" else set())
    assert report.notes == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.engine", "demo.engine.json"]


def test_a_checkpoint_is_exported_on_the_way(tmp_path: Path) -> None:
    source = tmp_path / "small_3x.pth"
    torch.save(make_network(scale=3, in_chans=1).state_dict(), source)
    steps: list[str] = []
    report = build_engine(
        source,
        tmp_path / "new" / "small.engine",
        RTX_30,
        on_step=lambda step, _total: steps.append(step),
    )
    assert steps == ["calibrating", "exporting", "verifying"]
    info = report.info
    assert (info.source, info.source_sha256) == ("small_3x.pth", file_sha256(source))
    assert (info.precision, info.scale, info.channels) == ("fp16-int8", 3, 1)
    assert info.operators["int8"] > info.operators["fp16"], "the operators that suit TensorRT"


@pytest.mark.parametrize("target", ALL)
def test_the_demo_model_for_each_target(target: str, demo_onnx: Mapping[str, Path], tmp_path: Path) -> None:
    report = build_engine(demo_onnx["fp16-int8"], tmp_path / "demo.engine", BuildOptions(targets=[target]))
    assert report.info.targets == (target,)
    assert report.info.layers is not None
    in_float = 17 if target == "7.5" else 0  # which has no INT8 convolutions
    assert len(report.info.fell_back) == in_float
    assert report.info.layers["int8"] == 49 - in_float
    assert set(report.warnings) <= UNAVOIDABLE
    assert report.notes == ()


def test_the_demo_model_for_several_targets_at_once(demo_onnx: Mapping[str, Path], tmp_path: Path) -> None:
    source = demo_onnx["fp16"]
    asked = ["RTX 2080 Ti", "sm80", "8.6", "RTX4090", "120", "RTX 3060"]
    some = build_engine(source, tmp_path / "some.engine", BuildOptions(targets=asked))
    assert some.info.targets == ("7.5", "8.0", "8.6", "8.9", "12.0")
    every = build_engine(source, tmp_path / "every.engine")
    assert every.info.targets == ALL
    assert every.notes == ()


def test_the_oldest_target_is_left_out_where_it_costs_the_others(tmp_path: Path) -> None:
    products = upscaler(tmp_path / "products.onnx", product=True)
    convolution = upscaler(tmp_path / "convolution.onnx", np.float16, int8=True)
    for source, why in ((products, "no FP32 matrix products"), (convolution, "no INT8 convolutions")):
        report = build_engine(source, source.with_suffix(".engine"))
        assert report.info.targets == ALL[1:]
        (note,) = report.notes
        assert why in note
        assert "7.5" in note


def test_what_falls_back_to_float_is_named(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "small.onnx", np.float16, int8=True)
    report = build_engine(source, tmp_path / "small.engine", BuildOptions(targets=["7.5", "8.6"]))
    assert report.info.operators == {"int8": 1}
    assert report.info.fell_back == ("convolution",)
    assert "run the 1 INT8 convolutions in float" in report.notes[0]
    newer = build_engine(source, tmp_path / "newer.engine", RTX_30)
    assert newer.info.fell_back == ()


def test_a_file_of_one_size_and_other_names(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "fixed.onnx", shape=(2, 4, 48, 64), input_name="main:image")
    info = build_engine(source, tmp_path / "fixed.engine", RTX_30).info
    assert (info.input_name, info.channels, info.scale) == ("main:image", 4, 2)
    assert info.profile == Profile(Span(2, 2, 2), Span(48, 48, 48), Span(64, 64, 64))


def test_given_shapes_win_over_the_file_and_it_over_the_published_ones(tmp_path: Path) -> None:
    half_open = upscaler(tmp_path / "half_open.onnx", shape=(1, 3, "height", "width"))
    shapes = Shapes(usual="input:1x3x64x96", maximum="1x3x2160x3840")
    info = build_engine(half_open, tmp_path / "a.engine", replace(RTX_30, shapes=shapes)).info
    assert info.profile == Profile(Span(1, 1, 1), Span(32, 64, 2160), Span(32, 96, 3840))
    own = Profile(Span(1, 2, 4), Span(16, 64, 128), Span(16, 64, 128))
    checkpoint, exported = tmp_path / "small.pth", tmp_path / "small.onnx"
    torch.save(make_network().state_dict(), checkpoint)
    export_onnx(checkpoint, exported, precision="fp32", profile=own, verified=False)
    assert build_engine(exported, tmp_path / "b.engine", RTX_30).info.profile == own


def test_options_reach_the_builder(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "small.onnx")
    said: list[str] = []
    options = replace(RTX_30, workspace=4096, level=0, timing_cache=tmp_path / "timings.bin")
    report = build_engine(
        source,
        tmp_path / "small.engine",
        options,
        verbose=True,
        on_message=lambda severity, text: said.append(f"{severity}: {text}"),
    )
    assert any(line.startswith("verbose: ") for line in said)
    assert any(line.startswith("info: ") for line in said)
    assert report.notes == ("TensorRT for RTX times nothing while it builds: --timing-cache is not used",)
    assert report.timing_cache is None
    assert not (tmp_path / "timings.bin").exists()


def test_phases_are_told_as_they_lie_in_each_other(tmp_path: Path) -> None:
    class Phases:
        def __init__(self) -> None:
            self.open: list[str] = []
            self.steps = 0
            self.parents: set[str | None] = set()

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            assert steps > 0
            assert parent is None or parent in self.open
            self.parents.add(parent)
            self.open.append(name)

        def step_complete(self, name: str, step: int) -> None:
            assert name in self.open
            assert step >= 0
            self.steps += 1

        def phase_finish(self, name: str) -> None:
            self.open.remove(name)

    phases = Phases()
    build_engine(upscaler(tmp_path / "small.onnx"), tmp_path / "small.engine", RTX_30, monitor=phases)
    assert phases.open == []
    assert phases.steps > 10
    assert {None, "Building engine"} <= phases.parents


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
def test_larger_variants(hyperparameters: Mapping[str, object], precision: Precision, tmp_path: Path) -> None:
    source, photos, exported = tmp_path / "large.pth", tmp_path / "photos", tmp_path / "large.onnx"
    torch.save(make_network(**hyperparameters).state_dict(), source)
    write_picture(Picture(photograph(48, 48)), photos / "one.png")
    # Not verified: what random weights make of INT8 says nothing.
    export_onnx(source, exported, precision=precision, calibration=photos, preset="tensorrt", verified=False)
    report = build_engine(exported, tmp_path / "large.engine")
    assert report.info.precision == precision
    assert report.info.targets == ALL[1:]
    assert report.info.fell_back == ()
    assert set(report.warnings) <= UNAVOIDABLE
