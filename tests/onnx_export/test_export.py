"""Exported files: what they hold, that they compute the network, and what is refused."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper

from spandrel_aethernet import __version__, read_checkpoint
from spandrel_aethernet.data import DEMO_MODEL, half_size
from spandrel_aethernet.errors import AetherError
from spandrel_aethernet.inference.onnx import OnnxBackend
from spandrel_aethernet.model.io import read_state_dict
from spandrel_aethernet.onnx_export import verify
from spandrel_aethernet.onnx_export.deploy import deployable
from spandrel_aethernet.onnx_export.export import (
    PRECISIONS,
    ExportReport,
    default_opset,
    default_preset,
    export_onnx,
)
from spandrel_aethernet.onnx_model.metadata import read_metadata
from spandrel_aethernet.shapes import Profile, Span

from ..conftest import Result, make_network
from ..model.reference import load_case

SMALL = Profile(Span(1, 1, 4), Span(8, 32, 256), Span(8, 32, 256))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExportReport]:
    """The demo model in every precision."""
    folder = tmp_path_factory.mktemp("exported")
    return {p: export_onnx(DEMO_MODEL, folder / f"{p}.onnx", precision=p) for p in PRECISIONS}


def save_small(folder: Path, **hyperparameters: Any) -> Path:
    path = folder / "small.pth"
    torch.save(make_network(**hyperparameters).state_dict(), path)
    return path


def tensors(model: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_defaults_are_the_published_ones(exported: dict[str, ExportReport], precision: str) -> None:
    model = onnx.load(str(exported[precision].path))
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [
        ("", 20 if precision == "fp16-int8" else 17)
    ]
    assert model.ir_version <= 9, "the newest that onnxruntime 1.17.1 reads"
    (given,), (result,) = model.graph.input, model.graph.output
    half = precision.startswith("fp16")
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    assert (given.name, result.name) == ("input", "output")
    assert given.type.tensor_type.elem_type == result.type.tensor_type.elem_type == kind
    sizes = [[d.dim_param or d.dim_value for d in io.type.tensor_type.shape.dim] for io in (given, result)]
    assert sizes[0] == ["batch", 3, "height", "width"]
    assert (sizes[1][0], *sizes[1][2:]) == ("batch", "2*height", "2*width")
    assert {node.op_type for node in model.graph.node}.isdisjoint({"Clip", "Pad", "Resize"})


@pytest.mark.parametrize("precision", PRECISIONS)
def test_metadata_tells_where_the_file_comes_from(exported: dict[str, ExportReport], precision: str) -> None:
    metadata = read_metadata(exported[precision].path)
    assert metadata is not None
    assert metadata == exported[precision].metadata
    assert metadata.source == DEMO_MODEL.name
    assert metadata.source_sha256 == hashlib.sha256(DEMO_MODEL.read_bytes()).hexdigest()
    assert (metadata.variant, metadata.layout, metadata.scale) == ("aether_small", "not fused, QAT", 2)
    assert (metadata.precision, metadata.package_version) == (precision, __version__)
    assert metadata.profile == Profile(Span(1, 1, 16), Span(32, 256, 1080), Span(32, 256, 1920))
    if precision.endswith("int8"):
        assert metadata.input_ranges["layers.3.2.ffn.fc1"] == "learned"
        assert metadata.input_ranges["layers.3.2.ffn.fc2"] == "calibrated"
    else:
        assert (metadata.preset, metadata.input_ranges) == (None, {})


def test_a_foreign_file_has_no_metadata(tmp_path: Path) -> None:
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["a"], ["b"])], "foreign", [], [])
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / "foreign.onnx"))
    assert read_metadata(tmp_path / "foreign.onnx") is None


@pytest.mark.parametrize("precision", ["fp32-int8", "fp16-int8"])
def test_every_planned_operator_reads_symmetric_int8(
    exported: dict[str, ExportReport], precision: str
) -> None:
    model = onnx.load(str(exported[precision].path))
    made_by = {output: node for node in model.graph.node for output in node.output}
    values = tensors(model)
    planned = set(exported[precision].metadata.input_ranges)
    assert len(planned) == {"fp32-int8": 34, "fp16-int8": 49}[precision]
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            scale, zero = values[node.input[1]], values[node.input[2]]
            assert zero.dtype == np.int8
            assert not zero.any()
            assert scale.dtype == (np.float16 if precision.startswith("fp16") else np.float32)
            assert (scale > 0).all()
            assert scale.ndim == (1 if node.input[0] in values else 0), "per channel for weights only"
        elif node.op_type in ("Conv", "MatMul"):
            weight = made_by.get(node.input[1])
            data = made_by.get(node.input[0])
            name = weight.input[0] if weight else node.input[1]
            quantised = name.removesuffix(".weight") in planned
            assert (weight is not None and weight.op_type == "DequantizeLinear") == quantised
            assert (data is not None and data.op_type == "DequantizeLinear") == quantised
            if quantised:
                assert values[name].dtype == np.int8
    quantised = [node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert len(quantised) == len(set(quantised)) == len(planned), "one Q for each quantised tensor"


def test_int8_weights_are_bit_exact_on_the_trained_grid(exported: dict[str, ExportReport]) -> None:
    values = tensors(onnx.load(str(exported["fp32-int8"].path)))
    grid = read_checkpoint(read_state_dict(DEMO_MODEL)).state_dict
    for block in ("layers.0.0", "layers.3.3"):
        parts = [grid[f"{block}.ffn.{name}.weight"] for name in ("fc1_gate", "fc1_main")]
        name = f"{block}.ffn.fc1.weight"
        stored = values[name].astype(np.float32) * values[f"{name}.scale"]
        assert np.array_equal(stored, torch.cat(parts).t().numpy())
    name = "conv_after_body.weight"
    stored = values[name].astype(np.float32) * values[f"{name}.scale"].reshape(-1, 1, 1, 1)
    assert np.array_equal(stored, grid[name].numpy())


@pytest.mark.parametrize("name", ["small_2x_fused", "small_3x_gray_fused"])
def test_reference_cases_in_float(name: str, tmp_path: Path) -> None:
    case = load_case(name)
    source = tmp_path / "case.pth"
    torch.save(case.checkpoint, source)
    full = OnnxBackend(export_onnx(source, tmp_path / "fp32.onnx", precision="fp32", profile=SMALL).path)
    assert float(np.abs(full(case.input.numpy()) - case.expected.numpy()).max()) < 1e-4
    half = OnnxBackend(export_onnx(source, tmp_path / "fp16.onnx", precision="fp16", profile=SMALL).path)
    error = np.mean((half(case.input.numpy()) - case.expected.numpy()) ** 2)
    assert -10 * np.log10(error) > 50


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_other_networks_without_qat(precision: Any, scale: int, tmp_path: Path) -> None:
    source = save_small(tmp_path, scale=scale, in_chans=4)
    report = export_onnx(
        source, tmp_path / "out.onnx", precision=precision, profile=SMALL, preset="onnxruntime"
    )
    assert len(report.agreements) == 3, "agreement with PyTorch was checked, or this would have raised"
    assert set(report.metadata.input_ranges.values()) <= {"calibrated"}


def test_fixed_shapes(tmp_path: Path) -> None:
    profile = Profile(Span(1, 1, 1), Span(24, 24, 24), Span(40, 40, 40))
    report = export_onnx(save_small(tmp_path), tmp_path / "fixed.onnx", profile=profile)
    model = onnx.load(str(report.path))
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 24, 40]
    assert [agreement.shape for agreement in report.agreements] == [(1, 3, 24, 40)]


@pytest.mark.parametrize("opset", range(17, 22))
def test_every_opset(opset: int, tmp_path: Path) -> None:
    if opset == 21 and torch.__version__ < "2.9":
        with pytest.raises(AetherError, match="cannot write opset 21: choose 20 or less"):
            export_onnx(save_small(tmp_path), tmp_path / "out.onnx", opset=opset, profile=SMALL)
        return
    report = export_onnx(save_small(tmp_path), tmp_path / "out.onnx", opset=opset, profile=SMALL)
    assert onnx.load(str(report.path)).opset_import[0].version == opset
    assert report.agreements


@pytest.mark.parametrize("merged", [False, True])
def test_deployable_leaves_the_network_and_computes_the_same(merged: bool, image: torch.Tensor) -> None:
    network = make_network()
    before = copy.deepcopy(network.state_dict())
    with torch.inference_mode():
        assert float((deployable(network, merged=merged)(image) - network(image)).abs().max()) < 1e-5
    assert all(torch.equal(network.state_dict()[key], before[key]) for key in before)


def test_a_file_that_does_not_agree_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(verify.LEAST_PSNR, "fp32", 400.0)
    with pytest.raises(ValueError, match="does not agree with PyTorch"):
        export_onnx(save_small(tmp_path), tmp_path / "out.onnx", precision="fp32", profile=SMALL)
    assert not (tmp_path / "out.onnx").exists()


def test_command_line_reports_as_json(tmp_path: Path, aethernet: Callable[..., Result]) -> None:
    photos = half_size("rocket").parent
    out = tmp_path / "out.onnx"
    arguments = ["--calibrate", photos, "--height", "16:32:64", "--width", "16:32:64", "--json"]
    result = aethernet("export", save_small(tmp_path), "-o", out, *arguments)
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["profile"] == {"batch": "1:1:16", "height": "16:32:64", "width": "16:32:64"}
    assert set(document["input_ranges"].values()) == {"calibrated"}
    assert min(agreement["psnr"] for agreement in document["agreements"]) > 45
    text = aethernet("export", DEMO_MODEL, "-o", out, "--no-verify", "--force", "--static", "48x48")
    assert "34 operators (onnxruntime); input ranges: 18 learned, 16 calibrated" in text.out
    assert "float      conv_first, 16 conv.fused_conv, conv_before_upsample.0, conv_last" in text.out
    assert "not verified" in text.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--height", "64:32:128"], "height '64:32:128' is no profile"),
        (["--width", "0:32:128"], "width '0:32:128' is no profile"),
        (["--static", "48"], "expected HxW"),
        (["--static", "48x48", "--batch", "1:2:3"], "without --batch"),
        (["--opset", "16"], "opset 16 cannot hold fp32-int8: expected 17 to 21"),
        (["--opset", "17", "--precision", "fp16-int8"], "opset 17 cannot hold fp16-int8: expected 19 to 21"),
        (["--calibrate", "empty"], "empty holds no images to calibrate on"),
        (["-o", "out.trt"], "out.trt is not named like an ONNX file"),
        (["-o", "small.pth/out.onnx"], "cannot be written"),
        (["-o", "there.onnx"], "there.onnx exists and is kept"),
    ],
)
def test_what_cannot_be_exported_is_said_and_leaves_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    aethernet: Callable[..., Result],
) -> None:
    monkeypatch.chdir(tmp_path)
    save_small(tmp_path)
    Path("empty").mkdir()
    Path("there.onnx").write_bytes(b"precious")
    before = sorted(tmp_path.rglob("*"))
    result = aethernet("export", "small.pth", "-o", "out.onnx", *arguments)
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert Path("there.onnx").read_bytes() == b"precious"


def test_default_opset_is_what_the_types_need() -> None:
    assert [default_opset(precision) for precision in PRECISIONS] == [17, 17, 17, 20]


@pytest.mark.parametrize("precision", ["fp32-int8", "fp16-int8"])
def test_default_preset_is_what_the_types_are_for(precision: Any, exported: dict[str, ExportReport]) -> None:
    expected = {"fp32-int8": "onnxruntime", "fp16-int8": "tensorrt"}[precision]
    assert exported[precision].metadata.preset == default_preset(precision) == expected
