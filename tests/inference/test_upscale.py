"""One call from an array to a larger array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import spandrel_aethernet
from spandrel_aethernet.errors import ArgumentError, ImageError
from spandrel_aethernet.images.files import Picture, read_picture, write_picture
from spandrel_aethernet.inference.open import open_model
from spandrel_aethernet.inference.pytorch import PyTorchBackend
from spandrel_aethernet.progress import Silent

from ..artifacts import TINY, Artifacts
from ..conftest import Result, make_network
from ..images.pictures import KINDS, kind_of_picture, photograph


@pytest.mark.parametrize("kind", KINDS)
def test_integers_keep_dtype_and_axes(kind: str) -> None:
    image = kind_of_picture(kind)
    before = np.array(image)
    output = spandrel_aethernet.upscale(image, make_network(**TINY), device="cpu")
    assert (output.dtype, output.shape) == (
        image.dtype,
        (2 * image.shape[0], 2 * image.shape[1], image.shape[2]),
    )
    assert np.array_equal(image, before)


def test_an_image_without_channels_is_grey() -> None:
    image = photograph(20, 30)[:, :, 0]
    network = make_network(**TINY)
    output = spandrel_aethernet.upscale(image, network, device="cpu")
    assert np.array_equal(
        output, spandrel_aethernet.upscale(image[:, :, np.newaxis], network, device="cpu")[:, :, 0]
    )


def test_floats_are_not_rounded_to_integers() -> None:
    network = make_network(**TINY)
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
    for given in (model, model.model, artifacts.tiny, str(artifacts.tiny)):
        assert np.array_equal(spandrel_aethernet.upscale(pixels, given, tile=80, device="cpu"), written)
    backend = open_model(artifacts.tiny, device="cpu").backend
    assert np.array_equal(spandrel_aethernet.upscale(pixels, backend, tile=80), written)


def test_an_onnx_file_is_a_model_too(artifacts: Artifacts) -> None:
    # Of floats, for which every runtime computes in float32.
    pixels: NDArray[np.float32] = np.divide(photograph(40, 56), 255, dtype=np.float32)
    output = spandrel_aethernet.upscale(pixels, artifacts.onnx("fp32"), device="auto")
    expected = spandrel_aethernet.upscale(pixels, artifacts.tiny, device="cpu", dtype="float32")
    assert float(np.abs(output - expected).max()) < 1 / 255


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
        spandrel_aethernet.upscale(image, make_network(**TINY), device="cpu")


def test_what_does_not_go_together_is_refused() -> None:
    image = photograph(8, 8)
    with pytest.raises(ImageError, match="takes 2 channels and the image has 3"):
        spandrel_aethernet.upscale(image, make_network(**TINY, in_chans=2), device="cpu")
    with pytest.raises(ImageError, match="has 5 channels: expected 1 to 4"):
        spandrel_aethernet.upscale(np.zeros((8, 8, 5), np.uint8), make_network(**TINY), device="cpu")
    with pytest.raises(ArgumentError, match="leaves nothing between overlaps"):
        spandrel_aethernet.upscale(image, make_network(**TINY), tile=4, overlap=2, device="cpu")
    with pytest.raises(ArgumentError, match="dtype is 'half': expected one of auto, float32"):
        spandrel_aethernet.upscale(image, make_network(**TINY), dtype="half", device="cpu")
    with pytest.raises(ArgumentError, match="device cuda:77 cannot be used here"):
        spandrel_aethernet.upscale(image, make_network(**TINY), device="cuda:77")


def test_the_network_given_stays_not_fused() -> None:
    network = make_network(**TINY)
    keys = list(network.state_dict())
    spandrel_aethernet.upscale(photograph(8, 8), network, device="cpu")
    assert list(network.state_dict()) == keys
    backend = PyTorchBackend(network, torch.device("cpu"), torch.float32)
    assert spandrel_aethernet.upscale(photograph(8, 8), backend).shape == (16, 16, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0, 255.0), "the image holds floats from 0 to 255: expected 0 to 1"),
        ((-0.5, 1.0), "floats from -0.5 to 1"),
        ((0.0, float("nan")), "floats from nan to nan"),
    ],
)
def test_floats_outside_the_range_are_refused(values: tuple[float, float], message: str) -> None:
    image = np.array([values], np.float32)
    with pytest.raises(ArgumentError, match=message):
        spandrel_aethernet.upscale(image, make_network(**TINY), device="cpu")


@pytest.mark.parametrize("kind", ["grey8", "rgba8"])
def test_float_images_have_the_same_channels_as_integers(kind: str) -> None:
    """Alpha that is opaque all over stays 1, and any other goes through as a grey image."""
    network, image = make_network(**TINY), kind_of_picture(kind)
    floats: NDArray[np.float32] = np.divide(image, np.float32(255), dtype=np.float32)
    output = spandrel_aethernet.upscale(floats, network, device="cpu")
    expected = spandrel_aethernet.upscale(image, network, device="cpu", dtype="float32")
    assert np.array_equal(np.rint(output * 255), expected)
    assert output.max() <= 1
    floats[:, :, -1] = 1
    if kind == "rgba8":
        assert (spandrel_aethernet.upscale(floats, network, device="cpu")[:, :, -1] == 1).all()


@pytest.mark.parametrize("name", ["device", "dtype"])
def test_a_backend_has_its_device_and_dtype(name: str) -> None:
    backend = PyTorchBackend(make_network(**TINY), torch.device("cpu"), torch.float32)
    value = {"device": "cpu", "dtype": "float32"}[name]
    with pytest.raises(ArgumentError, match=f"a backend has its {name} already: leave {name}='{value}' out"):
        spandrel_aethernet.upscale(photograph(8, 8), backend, **{name: value})  # pyright: ignore


def test_another_object_is_not_a_model() -> None:
    with pytest.raises(ArgumentError, match="Conv2d is not AetherNet: give what load_model returns"):
        spandrel_aethernet.upscale(photograph(8, 8), torch.nn.Conv2d(3, 3, 1))  # pyright: ignore


def test_dtype_is_that_of_the_network() -> None:
    network, image = make_network(**TINY), photograph(24, 24)
    single = spandrel_aethernet.upscale(image, network, device="cpu", dtype="float32").astype(int)
    half = spandrel_aethernet.upscale(image, network, device="cpu", dtype="bfloat16").astype(int)
    assert 0 < int(np.abs(single - half).max()) < 20


def test_tiles_are_counted() -> None:
    told: list[object] = []

    class Told(Silent):
        def begin(self, step: str, total: int, *, within: str | None = None) -> None:
            told.append((step, total, within))

        def advance(self, step: str | None = None) -> None:
            told.append(step)

    network = make_network(**TINY)
    spandrel_aethernet.upscale(photograph(40, 60), network, tile=32, overlap=4, device="cpu", progress=Told())
    assert told == [("upscaling", 6, None), *[None] * 6]
