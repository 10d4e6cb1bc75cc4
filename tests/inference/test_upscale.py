"""One call from an array to a larger array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import spandrel_aethernet
from spandrel_aethernet.errors import ArgumentError, ImageError
from spandrel_aethernet.images.files import Picture, read_picture, write_picture
from spandrel_aethernet.inference.open import open_model
from spandrel_aethernet.inference.pytorch import PyTorchBackend

from ..artifacts import Artifacts
from ..conftest import Result, make_network
from ..images.pictures import KINDS, kind_of_picture, photograph


@pytest.mark.parametrize("kind", KINDS)
def test_integers_keep_dtype_and_axes(kind: str) -> None:
    image = kind_of_picture(kind)
    before = image.copy()
    output = spandrel_aethernet.upscale(image, make_network(), device="cpu")
    assert (output.dtype, output.shape) == (
        image.dtype,
        (2 * image.shape[0], 2 * image.shape[1], image.shape[2]),
    )
    assert np.array_equal(image, before)


def test_an_image_without_channels_is_grey() -> None:
    image = photograph(20, 30)[:, :, 0]
    network = make_network()
    output = spandrel_aethernet.upscale(image, network, device="cpu")
    assert np.array_equal(
        output, spandrel_aethernet.upscale(image[:, :, np.newaxis], network, device="cpu")[:, :, 0]
    )


def test_floats_are_not_rounded_to_integers() -> None:
    network = make_network()
    image = np.random.default_rng(0).random((20, 26, 3), np.float32)
    output = spandrel_aethernet.upscale(image, network, device="cpu")
    with torch.inference_mode():
        expected = network(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0).clamp(0, 1)
    assert output.dtype == np.float32
    assert float(np.abs(output - expected.numpy()).max()) < 1e-5


def test_it_is_what_the_command_line_writes(
    artifacts: Artifacts, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    pixels = photograph(40, 56)
    write_picture(Picture(pixels), source)
    result = aethernet(
        "upscale", source, "-o", target, "-m", artifacts.tiny, "--device", "cpu", "--tile", "80"
    )
    assert result.code == 0, result.err
    written = read_picture(target).pixels
    model = spandrel_aethernet.load_model(artifacts.tiny)
    for given in (model, model.model, artifacts.tiny, open_model(artifacts.tiny, device="cpu").backend):
        assert np.array_equal(spandrel_aethernet.upscale(pixels, given, tile=80, device="cpu"), written)


def test_an_onnx_file_is_a_model_too(artifacts: Artifacts) -> None:
    pixels = photograph(40, 56)
    output = spandrel_aethernet.upscale(pixels, artifacts.onnx("fp32"), device="auto").astype(int)
    expected = spandrel_aethernet.upscale(pixels, artifacts.tiny, device="cpu")
    assert int(np.abs(output - expected).max()) <= 1


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4,), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4), np.int32),
    ],
)
def test_other_arrays_are_refused(image: Any) -> None:
    with pytest.raises(
        ArgumentError, match="expected height×width or height×width×channels of uint8, uint16 or"
    ):
        spandrel_aethernet.upscale(image, make_network(), device="cpu")


def test_what_does_not_go_together_is_refused() -> None:
    image = photograph(8, 8)
    with pytest.raises(ImageError, match="takes 2 channels and the image has 3"):
        spandrel_aethernet.upscale(image, make_network(in_chans=2), device="cpu")
    with pytest.raises(ImageError, match="leaves nothing between overlaps"):
        spandrel_aethernet.upscale(image, make_network(), tile=8, overlap=4, device="cpu")
    with pytest.raises(ArgumentError, match="device cuda:77 cannot be used here"):
        spandrel_aethernet.upscale(image, make_network(), device="cuda:77")


def test_the_network_given_stays_not_fused() -> None:
    network = make_network()
    keys = list(network.state_dict())
    spandrel_aethernet.upscale(photograph(8, 8), network, device="cpu")
    assert list(network.state_dict()) == keys
    backend = PyTorchBackend(network, torch.device("cpu"), torch.float32)
    assert spandrel_aethernet.upscale(photograph(8, 8), backend).shape == (16, 16, 3)
