from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from onnx import numpy_helper

from spandrel_aethernet import AetherNet
from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.model.io import load_model, save_state_dict
from spandrel_aethernet.onnx_export.calibrator import Calibrator
from spandrel_aethernet.onnx_export.export import export_onnx

WITHOUT_QAT = Path(__file__).parents[1] / "data" / "aether_small_2x_float16.safetensors"


def image(value: float = 1.0) -> torch.Tensor:
    return torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(3)) * value


@pytest.fixture
def network() -> AetherNet:
    return load_model(WITHOUT_QAT).model


def test_what_training_saw_is_not_measured_again() -> None:
    trained = load_model(DEMO_MODEL).model
    points = Calibrator(trained).open_points

    assert "layers.0.1.ffn.fc2" in points
    assert "layers.0.1.conv.fused_conv" in points
    assert not any(point.endswith("fc1") for point in points), "training observed what goes into these"


def test_the_largest_of_all_images_counts_and_the_network_given_stays(network: AetherNet) -> None:
    calibrator = Calibrator(network)
    for value in (0.2, 1.0, 0.5):
        calibrator.see(image(value))
    alone = Calibrator(network)
    alone.see(image(1.0))
    both, one = calibrator.result().trained_ranges, alone.result().trained_ranges

    assert both is not None
    assert one is not None
    assert network.trained_ranges is None
    assert all(
        both.calibrated_inputs[point] >= largest > 0 for point, largest in one.calibrated_inputs.items()
    )


def test_an_export_of_the_saved_network_uses_them(network: AetherNet, tmp_path: Path) -> None:
    calibrator = Calibrator(network.half())
    calibrator.see(image())
    save_state_dict(calibrator.result().state_dict(), tmp_path / "calibrated.safetensors")

    again = load_model(tmp_path / "calibrated.safetensors")
    assert again.tags == ["aether_small", "fused"], "calibrated is not trained"
    expected = calibrator.result().trained_ranges
    assert again.model.trained_ranges == expected

    report = export_onnx(
        tmp_path / "calibrated.safetensors", tmp_path / "out.onnx", precision="fp32-int8", verified=False
    )
    tensors = {tensor.name: tensor for tensor in onnx.load(str(report.path)).graph.initializer}
    scale = float(numpy_helper.to_array(tensors["layers.0.1.ffn.fc2.input.scale"]))
    assert expected is not None
    assert scale == pytest.approx(expected.calibrated_inputs["layers.0.1.ffn.fc2"] / 127, rel=1e-6)
