"""What networks and images on the edge of the numbers give: on ONNX Runtime the same as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spandrel_aethernet import AetherBase, AetherNet, export_onnx, load_model
from spandrel_aethernet.images.psnr import psnr
from spandrel_aethernet.inference.onnx import OnnxBackend
from spandrel_aethernet.inference.pytorch import PyTorchBackend
from spandrel_aethernet.onnx_export.verify import truncates_half

from ..artifacts import TINY, Artifacts
from ..conftest import make_network
from .backends import run

LEAST_PSNR = {"fp32": 80.0, "fp16": 50.0, "fp32-int8": 36.0, "fp16-int8": 36.0}
"""In dB against the network in float32, of random weights that know nothing of int8 and of their images."""

IMAGES: dict[str, Callable[[], NDArray[np.float32]]] = {
    "1x1": lambda: noise(1, 1),
    "1xN": lambda: noise(1, 23),
    "Nx1": lambda: noise(23, 1),
    "prime": lambda: noise(31, 37),
    "black": lambda: np.zeros((1, 3, 16, 20), np.float32),
    "grey": lambda: np.full((1, 3, 16, 20), 0.5, np.float32),
    "white": lambda: np.ones((1, 3, 16, 20), np.float32),
    "nearly black": lambda: noise(16, 20) * np.float32(1e-40),
}


def noise(height: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((1, 3, height, width), np.float32)


def decibels(output: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return psnr(output, expected, peak=max(1.0, float(np.ptp(expected))))


def on_pytorch(network: AetherBase) -> PyTorchBackend:
    return PyTorchBackend(network, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def backends(artifacts: Artifacts) -> Callable[[str], tuple[OnnxBackend, PyTorchBackend]]:
    reference = on_pytorch(load_model(artifacts.tiny).model)

    @cache
    def both(precision: str) -> tuple[OnnxBackend, PyTorchBackend]:
        return OnnxBackend(artifacts.onnx(precision), provider="cpu"), reference

    return both


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("precision", LEAST_PSNR)
def test_images_of_every_size_and_value_give_what_pytorch_gives(
    precision: str, name: str, backends: Callable[[str], tuple[OnnxBackend, PyTorchBackend]]
) -> None:
    if precision == "fp16-int8" and truncates_half():
        pytest.skip("this ONNX Runtime truncates what it should round")
    backend, reference = backends(precision)
    image = IMAGES[name]()
    output, expected = run(backend, image), run(reference, image)
    assert output.shape == expected.shape == (1, 3, 2 * image.shape[2], 2 * image.shape[3])
    assert decibels(output, expected) >= LEAST_PSNR[precision]


def with_denormals(network: AetherNet) -> None:
    """Weights that float16 takes for 0 and float32 has few bits for, and channels of nothing else than 0."""
    network.get_parameter("conv_after_body.weight")[0] = 1e-40
    network.get_parameter("conv_first.weight")[1] = 0
    network.get_parameter("conv_first.bias")[1] = 0
    network.get_parameter("layers.0.0.ffn.fc2.weight")[2] = 0
    network.get_parameter("layers.0.0.ffn.fc2.bias")[2] = 1e-42
    network.get_parameter("layers.1.0.conv.lk_conv.weight")[3] = 0


def with_constants(network: AetherNet) -> None:
    """Activations that are one value everywhere, so that their ranges have no width."""
    network.get_parameter("conv_first.weight").zero_()
    network.get_parameter("conv_first.bias").zero_()


@pytest.mark.parametrize(
    ("change", "precision"),
    [pytest.param(with_denormals, "fp16", marks=pytest.mark.slow), (with_constants, "fp32-int8")],
)
def test_odd_weights_give_what_pytorch_gives(
    change: Callable[[AetherNet], None], precision: str, tmp_path: Path
) -> None:
    network = make_network(**TINY)
    with torch.no_grad():
        change(network)
    export_onnx(network, tmp_path / "net.onnx", precision=precision, verified=False)
    backend = OnnxBackend(tmp_path / "net.onnx", provider="cpu")
    output, expected = run(backend, noise(13, 17)), run(on_pytorch(network), noise(13, 17))
    assert np.isfinite(output).all()
    assert decibels(output, expected) >= LEAST_PSNR[precision]
