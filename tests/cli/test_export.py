"""`aethernet export`: what it prints, and what it refuses in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ..artifacts import Artifacts
from ..conftest import Result


@pytest.mark.slow
def test_json_is_one_document(artifacts: Artifacts, tmp_path: Path, aethernet: Callable[..., Result]) -> None:
    sizes = ["--height", "16:32:64", "--width", "16:32:64"]
    options = ["--calibrate", artifacts.images, *sizes, "--json"]
    result = aethernet("export", artifacts.tiny_float, "-o", tmp_path / "out.onnx", *options)
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["file"] == str(tmp_path / "out.onnx")
    assert document["profile"] == {"batch": "1:1:16", "height": "16:32:64", "width": "16:32:64"}
    assert set(document["input_ranges"].values()) == {"calibrated"}
    assert min(agreement["psnr"] for agreement in document["agreements"]) > 45


def test_text_tells_operators_and_ranges(
    artifacts: Artifacts, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    out = tmp_path / "out.onnx"
    out.touch()
    result = aethernet("export", artifacts.tiny, "-o", out, "--no-verify", "--force", "--static", "48x48")
    assert "8 operators (onnxruntime)" in result.out
    assert "2 calibrated" in result.out
    assert "float      conv_first, 2 conv.fused_conv, conv_before_upsample.0, conv_last" in result.out
    assert "not verified" in result.err


@pytest.mark.slow
def test_a_budget_prints_its_table(
    artifacts: Artifacts, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    out = tmp_path / "out.onnx"
    options = ("--no-verify", "--max-loss", "60", "--calibrate", artifacts.images)
    result = aethernet("export", artifacts.tiny, "-o", out, *options)
    assert result.code == 0, result.err
    assert "operators" in result.out.splitlines()[0]
    assert "layers.0.0.ffn.fc1_gate, layers.0.0.ffn.fc1_main" in result.out
    assert "dB lost on the calibration images" in result.out
    assert "times as fast as float here" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-loss", "0"], "max_loss is 0.0: expected more than 0"),
        (["--max-loss", "0.1", "--precision", "fp16"], "a budget is for INT8, and fp16 has none"),
        (["--height", "64:32:128"], "height '64:32:128' is no profile"),
        (["--width", "0:32:128"], "width '0:32:128' is no profile"),
        (["--static", "48"], "expected HxW"),
        (["--static", "48x48", "--batch", "1:2:3"], "without --batch"),
        (["--opset", "16"], "opset 16 cannot hold fp32-int8: expected 17 to 21"),
        (["--opset", "17", "--precision", "fp16-int8"], "opset 17 cannot hold fp16-int8: expected 19 to 21"),
        (["--calibrate", "empty"], "empty holds no images to calibrate on"),
        (["-o", "out.trt"], "out.trt is not named like an ONNX file"),
        (["-o", "tiny.pth/out.onnx"], "cannot be written"),
        (["-o", "there.onnx"], "there.onnx exists and is kept"),
    ],
)
def test_what_cannot_be_exported_is_said_and_leaves_nothing(
    arguments: list[str],
    message: str,
    artifacts: Artifacts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    aethernet: Callable[..., Result],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.pth").write_bytes(artifacts.tiny.read_bytes())
    Path("empty").mkdir()
    Path("there.onnx").write_bytes(b"precious")
    before = sorted(tmp_path.rglob("*"))
    result = aethernet("export", "tiny.pth", "-o", "out.onnx", *arguments)
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert Path("there.onnx").read_bytes() == b"precious"
