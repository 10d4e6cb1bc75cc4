"""The second generation through every step that follows a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from spandrel_aethernet import (
    Calibrator,
    build_engine,
    export_network,
    lint_onnx,
    load_model,
    make_release,
    upscale,
)
from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.images.psnr import psnr
from spandrel_aethernet.inference.pytorch import PyTorchBackend
from spandrel_aethernet.inference.stream import upscale_pixels
from spandrel_aethernet.inference.tiling import tile_count
from spandrel_aethernet.model.generations import planned

from ..artifacts import Artifacts
from ..conftest import Result, make_second
from ..images.pictures import photograph
from ..model.reference import load_case

SLOW = [pytest.param(precision, marks=pytest.mark.slow) for precision in ("fp32", "fp16")]


@pytest.mark.parametrize("precision", [pytest.param("fp32-int8", marks=pytest.mark.slow), "fp16-int8", *SLOW])
def test_every_precision_agrees_with_pytorch(artifacts: Artifacts, precision: str) -> None:
    model = onnx.load(artifacts.onnx(precision, "second"))
    assert artifacts.report(precision, "second").agreements
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"LayerNormalization", "BatchNormalization", "MatMul", "Transpose"}
    assert lint_onnx(model).clean


@pytest.mark.parametrize("precision", ["fp32-int8", "fp16-int8"])
def test_what_is_planned_is_int8_and_named(artifacts: Artifacts, precision: str) -> None:
    metadata = artifacts.report(precision, "second").metadata
    assert metadata.preset is not None
    ops = planned(load_model(artifacts.second).model, metadata.preset, None)
    model = onnx.load(artifacts.onnx(precision, "second"))
    weights = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert {op.module for op in ops} == metadata.input_ranges.keys()
    assert all(weights[f"{op.module}.weight"] == onnx.TensorProto.INT8 for op in ops)


@pytest.mark.slow
def test_ranges_of_a_training_are_taken_and_nothing_is_calibrated(tmp_path: Path) -> None:
    path = tmp_path / "qat.pth"
    torch.save(load_case("gen2_small_2x_qat").checkpoint, path)
    report = export_network(path, precision="fp32-int8", verified=False, preset="tensorrt").report
    assert set(report.metadata.input_ranges.values()) == {"learned"}


def test_a_calibration_travels(image: torch.Tensor) -> None:
    network = make_second()
    calibrator = Calibrator(network)
    calibrator.see(image)
    assert set(calibrator.open_points) == {op.module for op in planned(network, "tensorrt", None)}
    ranges = calibrator.result().trained_ranges
    assert ranges is not None
    assert all(amax > 0 for amax in ranges.calibrated_inputs.values())


def test_an_engine_keeps_what_is_planned(artifacts: Artifacts, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    source = artifacts.onnx("fp16-int8", "second")
    report = build_engine(source, tmp_path / "second.engine", BuildOptions(runtime="rtx", targets=["8.6"]))
    assert report.info.fell_back == ()
    assert report.info.operators["int8"] == len(artifacts.report("fp16-int8", "second").metadata.input_ranges)


def test_tiles_agree_with_the_whole() -> None:
    network = make_second(depths=(1, 1), lk_kernel=5, res_scale=1.0)
    backend = PyTorchBackend(network, torch.device("cpu"), torch.float32)
    pixels = np.asarray(photograph(96, 120) / 255, np.float32)
    whole = upscale_pixels(backend, pixels, tile=1000)
    tiled = upscale_pixels(backend, pixels, tile=64, overlap=20)
    again = upscale_pixels(backend, pixels, tile=1000)
    assert tile_count(backend, (96, 120), 64, 20) > 16
    assert np.array_equal(whole, again), "nothing is kept of an image"
    assert np.abs(tiled - whole).max() < 1e-4
    backend.means = None
    apart = upscale_pixels(backend, pixels, tile=64, overlap=20)
    assert np.abs(apart - whole).max() > 10 * np.abs(tiled - whole).max(), "or the comparison proves nothing"


def test_it_is_told_and_upscaled_on_the_command_line(
    artifacts: Artifacts, aethernet: Callable[..., Result], tmp_path: Path
) -> None:
    told = aethernet("info", artifacts.second)
    assert "AetherNet2, custom" in told.out
    assert "channel and spatial" in told.out
    assert "0.3 (recorded in the file)" in told.out
    assert "in tiles the result is another" in told.out
    fused = tmp_path / "fused.safetensors"
    assert aethernet("fuse", artifacts.second, "-o", fused).code == 0
    image = photograph(24, 30)
    first, second = (upscale(image, path) for path in (artifacts.second, fused))
    assert psnr(first.astype(np.float32), second.astype(np.float32), peak=255) > 50
    torch.save(make_second(res_scale=0.3).state_dict(), tmp_path / "bare.pth")
    assert "warning: res_scale is taken to be 0.1" in aethernet("info", tmp_path / "bare.pth").err


@pytest.mark.release
def test_a_release_holds_every_form_with_its_arguments(artifacts: Artifacts, tmp_path: Path) -> None:
    report = make_release(artifacts.second, tmp_path / "release", engine=False, images=artifacts.images)
    assert len(report.exports) == 4
    checkpoints = sorted(path for path in report.folder.iterdir() if path.suffix in (".pth", ".safetensors"))
    assert len(checkpoints) == 3
    for path in checkpoints:
        assert load_model(path).model.hyperparameters["res_scale"] == 0.3
    assert "AetherNet2, custom" in (report.folder / "README.md").read_text("utf-8")
