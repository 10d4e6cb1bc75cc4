"""Calibration: which images are looked at and when, what is measured, and what it becomes in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from spandrel_aethernet import AetherNet, Calibrator, export_network, load_model
from spandrel_aethernet.data import PHOTOGRAPHS
from spandrel_aethernet.errors import ArgumentError, ImageError
from spandrel_aethernet.images.files import Picture, write_picture
from spandrel_aethernet.model.generations import deployed, planned
from spandrel_aethernet.model.io import save_state_dict
from spandrel_aethernet.model.source import as_source
from spandrel_aethernet.onnx_export.calibration import calibrated, calibration_images
from spandrel_aethernet.onnx_export.scales import OpScales, find_scales

from ..artifacts import TINY, Artifacts
from ..conftest import make_network
from .steps import Recorder


@pytest.fixture
def network() -> AetherNet:
    """A small network without ranges from QAT."""
    return make_network(**TINY)


def image(value: float = 1.0) -> torch.Tensor:
    return torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(3)) * value


def save(path: Path, height: int, width: int, channels: int = 3, value: int | None = None) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    write_picture(Picture(pixels if value is None else np.full_like(pixels, value)), path)


def test_by_default_the_photographs_of_the_package_are_looked_at() -> None:
    images = calibration_images(None, 3)
    assert len(images) == len(PHOTOGRAPHS)
    assert {tuple(picture.shape) for picture in images} == {(1, 3, 128, 128)}


def test_the_middle_of_every_image_of_a_folder_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    save(tmp_path / "a.png", 300, 20)
    save(tmp_path / "deeper" / "b.webp", 140, 129)
    (tmp_path / "notes.txt").write_text("no image")
    images = calibration_images(tmp_path, 3)
    assert [tuple(picture.shape[2:]) for picture in images] == [(128, 20), (128, 128)]


def test_the_middle_is_the_middle(tmp_path: Path) -> None:
    pixels = np.zeros((130, 132, 1), np.uint8)
    pixels[1:129, 2:130] = 255
    write_picture(Picture(pixels), tmp_path / "framed.png")
    assert bool((calibration_images(tmp_path, 1)[0] == 1).all())


@pytest.mark.parametrize(("channels", "of_network"), [(1, 3), (4, 3), (3, 4), (3, 1)])
def test_images_take_the_channels_of_the_network(channels: int, of_network: int, tmp_path: Path) -> None:
    save(tmp_path / "image.png", 16, 18, channels)
    assert tuple(calibration_images(tmp_path, of_network)[0].shape) == (1, of_network, 16, 18)


def test_an_image_is_decoded_when_it_is_asked_for_and_kept(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 16, 16)
    (tmp_path / "b.png").write_bytes(b"damaged")
    images = calibration_images(tmp_path, 3)
    first = images[0]
    (tmp_path / "a.png").unlink()
    assert images[0] is first
    with pytest.raises(ImageError, match=r"b\.png"):
        images[1]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="holds no images to calibrate on"):
        calibration_images(tmp_path, 3)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="there is not a folder"):
        calibration_images(tmp_path / "there", 3)


@pytest.mark.slow
def test_a_float_model_that_is_not_verified_needs_no_image(tmp_path: Path, artifacts: Artifacts) -> None:
    (tmp_path / "damaged.png").write_bytes(b"damaged")
    exported = export_network(artifacts.tiny, precision="fp32", calibration=tmp_path, verified=False)
    assert exported.report.agreements == ()


def test_an_int8_model_names_the_image_that_cannot_be_read(tmp_path: Path, artifacts: Artifacts) -> None:
    (tmp_path / "damaged.png").write_bytes(b"damaged")
    with pytest.raises(ImageError, match=r"damaged\.png"):
        export_network(artifacts.tiny, calibration=tmp_path, verified=False)


def test_what_qat_observed_is_not_measured_again(artifacts: Artifacts) -> None:
    points = Calibrator(load_model(artifacts.tiny).model).open_points
    assert points == ("layers.0.0.ffn.fc2", "layers.1.0.conv.fused_conv", "layers.1.0.ffn.fc2")


def test_without_qat_every_planned_input_is_measured(network: AetherNet) -> None:
    points = Calibrator(network).open_points
    assert "upsample.0" not in points, "it stays float unless training put it on a grid"
    assert len(points) == 7


def test_the_amax_of_all_images_counts(network: AetherNet) -> None:
    both, brightest = Calibrator(network), Calibrator(network)
    for value in (0.2, 1.0, 0.5):
        both.see(image(value))
    brightest.see(image(1.0))
    first, second = both.result().trained_ranges, brightest.result().trained_ranges
    assert first is not None
    assert second is not None
    assert all(first.calibrated_inputs[point] >= amax > 0 for point, amax in second.calibrated_inputs.items())


def test_the_network_given_stays_as_it_is(network: AetherNet) -> None:
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    calibrator = Calibrator(network)
    calibrator.see(image())
    calibrator.result()
    after = network.state_dict()
    assert network.trained_ranges is None
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())


def test_only_the_middle_is_measured(network: AetherNet) -> None:
    framed = torch.full((1, 3, 600, 128), 50.0)
    framed[:, :, 236:364] = image().mean()
    inside, whole = Calibrator(network), Calibrator(network)
    whole.see(framed)
    inside.see(framed[:, :, 236:364])
    assert whole.result().trained_ranges == inside.result().trained_ranges


@pytest.mark.parametrize("shape", [(3, 40, 40), (1, 1, 40, 40), (1, 3, 0, 40)])
def test_an_image_of_another_shape_is_refused(network: AetherNet, shape: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match="expected N×3×H×W"):
        Calibrator(network).see(torch.zeros(shape))


def test_no_image_is_no_calibration(network: AetherNet) -> None:
    with pytest.raises(ArgumentError, match="no image came to calibrate on"):
        Calibrator(network).result()


def test_a_saved_calibration_is_read_again(network: AetherNet, tmp_path: Path) -> None:
    calibrator = Calibrator(network.half())
    calibrator.see(image())
    save_state_dict(calibrator.result().state_dict(), tmp_path / "calibrated.safetensors")
    again = load_model(tmp_path / "calibrated.safetensors")
    assert again.tags == ["custom", "not fused"], "calibrated is not QAT"
    assert again.model.trained_ranges == calibrator.result().trained_ranges


def test_an_export_takes_an_earlier_calibration(network: AetherNet) -> None:
    calibrator = Calibrator(network)
    calibrator.see(image())
    steps = Recorder()
    model = export_network(calibrator.result(), verified=False, progress=steps).model
    ranges = calibrator.result().trained_ranges
    assert ranges is not None
    expected = ranges.calibrated_inputs["layers.0.0.ffn.fc2"] / 127
    assert scale_of(model, "layers.0.0.ffn.fc2.input") == pytest.approx(expected, rel=1e-6)
    assert steps.begun == [("exporting", 1)]


def test_measured_once_for_all_presets_gives_the_scales_of_each(artifacts: Artifacts) -> None:
    source, images = as_source(artifacts.tiny), calibration_images(artifacts.images, 3)
    once = calibrated(source, images).checkpoint.ranges
    for preset in ("tensorrt", "onnxruntime"):
        runnable = deployed(source.checkpoint.network(), merged=True, for_cpu=preset == "onnxruntime")
        ops = planned(source.checkpoint.network(), preset, source.checkpoint.ranges)
        alone = find_scales(runnable, ops, source.checkpoint.ranges, images)
        shared = find_scales(runnable, ops, once, images)
        assert [(one.input_scale, one.input_source) for one in alone] == [
            (one.input_scale, one.input_source) for one in shared
        ]


def test_what_was_measured_for_all_presets_is_not_measured_again(artifacts: Artifacts) -> None:
    images, steps = calibration_images(artifacts.images, 3), Recorder()
    once = calibrated(as_source(artifacts.tiny), images, progress=steps)
    assert calibrated(once, images, progress=steps) is once
    assert steps.begun == [("calibrating", 1)]
    assert steps.advanced == 1


def scale_of(model: onnx.ModelProto, tensor: str) -> float:
    stored = {initializer.name: initializer for initializer in model.graph.initializer}
    return float(numpy_helper.to_array(stored[f"{tensor}.scale"]))


def test_a_scale_too_small_for_its_type_is_stored_as_the_smallest_positive_one() -> None:
    (op, *_) = planned(make_network(), "tensorrt", None)
    scales = OpScales(op, 1e-12, "calibrated", torch.tensor([1e-12, 0.5]), 0).as_stored(torch.float16)
    least = float(torch.finfo(torch.float16).smallest_normal)
    assert (scales.input_scale, scales.weight_scale.tolist()) == (least, [least, 0.5])
