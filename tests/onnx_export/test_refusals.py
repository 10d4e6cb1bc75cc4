"""What cannot be exported is said before anything is read, measured or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spandrel_aethernet import AetherError, ArgumentError, OutputError, export_network, export_onnx
from spandrel_aethernet.errors import CheckpointError
from spandrel_aethernet.onnx_export.calibration import calibration_images
from spandrel_aethernet.onnx_export.torch_export import newest_opset

from ..artifacts import Artifacts
from .steps import Recorder

ABSENT = Path("absent.pth")
"""What is refused before a checkpoint is read does not need one."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": "bf16"}, "precision is 'bf16': expected one of fp32, fp16, fp32-int8, fp16-int8"),
        ({"precision": "int8"}, "precision is 'int8': expected one of fp32, fp16, fp32-int8, fp16-int8"),
        ({"preset": "x"}, "preset is 'x': expected one of tensorrt, onnxruntime"),
        ({"preset": "x", "precision": "fp32"}, "preset is 'x': expected one of tensorrt, onnxruntime"),
        ({"preset": ""}, "preset is '': expected one of tensorrt, onnxruntime"),
        ({"weights": "rwa"}, "weights is 'rwa': expected one of grid, raw"),
        ({"io": "fp16"}, "io is 'fp16': expected one of None, fp32"),
        ({"opset": 16}, "opset 16 cannot hold fp32-int8: expected 17 to 21"),
        ({"opset": 22, "precision": "fp16"}, "opset 22 cannot hold fp16: expected 17 to 21"),
        ({"opset": 18, "precision": "fp16-int8"}, "opset 18 cannot hold fp16-int8: expected 19 to 21"),
    ],
)
def test_wrong_values_are_refused_with_the_choices(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        export_network(ABSENT, **arguments)


@pytest.mark.skipif(newest_opset() == 21, reason="this PyTorch writes every opset")
def test_an_opset_that_this_pytorch_cannot_write_is_refused() -> None:
    with pytest.raises(ArgumentError, match="cannot write opset 21: choose 20 or less"):
        export_network(ABSENT, opset=21)


def test_a_wrong_value_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="preset"):
        export_onnx(ABSENT, tmp_path / "new" / "out.onnx", preset="x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("out.trt", "is not named like an ONNX file: expected .onnx"),
        ("there.onnx/out.onnx", "cannot be written"),
        ("there.onnx", "there.onnx exists and is kept"),
        ("folder.onnx", "is a folder"),
    ],
)
def test_a_target_that_cannot_be_written_is_refused_first(target: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "there.onnx").write_bytes(b"precious")
    (tmp_path / "folder.onnx").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=message):
        export_onnx(ABSENT, tmp_path / target, precision="none of them")
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "there.onnx").read_bytes() == b"precious"


def test_an_existing_target_is_kept_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "there.onnx").touch()
    with pytest.raises(OutputError) as caught:
        export_onnx(ABSENT, tmp_path / "there.onnx")
    hint = caught.value.message.hint
    assert hint is not None
    assert hint.text(lambda argument, value: f"<{argument} {value}>").endswith("<force True>")


def test_a_checkpoint_that_is_not_there_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"absent\.pth cannot be read"):
        export_network(ABSENT)


@pytest.mark.parametrize("precision", ["fp32", "fp32-int8"])
def test_a_folder_without_images_is_refused(precision: str, artifacts: Artifacts, tmp_path: Path) -> None:
    steps = Recorder()
    with pytest.raises(AetherError, match="holds no images to calibrate on"):
        export_network(artifacts.tiny, precision=precision, calibration=tmp_path, progress=steps)
    assert steps.begun == []


def test_images_for_another_network_are_refused(artifacts: Artifacts) -> None:
    with pytest.raises(ArgumentError, match="images have 1 channels and the network 3"):
        export_network(artifacts.tiny, calibration=calibration_images(None, 1))
