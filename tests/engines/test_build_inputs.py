"""What engines are built from: models in memory and in files, shapes and options, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import pytest

from spandrel_aethernet.engines import build as build_module
from spandrel_aethernet.engines.build import build_engine
from spandrel_aethernet.engines.build_plan import BuildOptions, plan_build
from spandrel_aethernet.engines.profile import Shapes
from spandrel_aethernet.engines.sidecar import EngineInfo, sidecar_path
from spandrel_aethernet.errors import ArgumentError, EngineError, OutputError
from spandrel_aethernet.files import sha256
from spandrel_aethernet.model.io import load_model
from spandrel_aethernet.onnx_model.metadata import read_metadata, write_metadata
from spandrel_aethernet.shapes import Profile, Range

from .networks import upscaler, with_unknown_operator

if TYPE_CHECKING:
    from ..artifacts import Artifacts

pytest.importorskip("tensorrt_rtx")

RTX_30 = BuildOptions(runtime="rtx", targets=["8.6"])


def facts(info: EngineInfo) -> dict[str, Any]:
    """What does not depend on where a model is from, and when it was built."""
    kept = ("operators", "layers", "profile", "scale", "channels", "targets", "precision", "input_name")
    return {name: getattr(info, name) for name in kept}


@pytest.mark.slow
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


def test_a_file_of_one_size_and_other_names(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "fixed.onnx", shape=(2, 4, 48, 64), input_name="main:image")
    info = build_engine(source, tmp_path / "fixed.engine", RTX_30).info
    assert (info.input_name, info.channels, info.scale) == ("main:image", 4, 2)
    assert info.profile == Profile(Range.only(2), Range.only(48), Range.only(64))


@pytest.mark.slow
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
