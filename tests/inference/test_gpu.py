"""Networks on an NVIDIA GPU: pixels that travel while it runs give what the CPU gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spandrel_aethernet.inference.frames import FrameOptions, Frames
from spandrel_aethernet.inference.onnx import OnnxBackend
from spandrel_aethernet.inference.pytorch import PyTorchBackend
from spandrel_aethernet.inference.stream import upscale_pixels, upscale_stream

from ..artifacts import Artifacts
from ..conftest import make_network
from ..images.pictures import KINDS, kind_of_picture

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
]


def backend(device: str, dtype: torch.dtype = torch.float32) -> PyTorchBackend:
    return PyTorchBackend(make_network(), torch.device(device), dtype)


def steps(first: NDArray[Any], second: NDArray[Any]) -> int:
    return int(np.abs(first.astype(int) - second).max())


@pytest.mark.parametrize("kind", KINDS)
def test_every_image_gives_what_it_gives_on_the_cpu(kind: str) -> None:
    pixels = kind_of_picture(kind, 70, 90)
    expected = upscale_pixels(backend("cpu"), pixels, tile=40, overlap=8)
    made = upscale_pixels(backend("cuda"), pixels, tile=40, overlap=8)
    # TF32 is off by default in convolutions of this size; sums are taken in another order.
    assert steps(made, expected) <= (1 if pixels.dtype == np.uint8 else 80)


def test_many_images_in_flight_do_not_mix() -> None:
    """A hundred images of all sizes, each of which is also run alone, with nothing before or behind it."""
    network = backend("cuda", torch.float16)
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (*random.integers(20, 200, 2), 3), dtype=np.uint8) for _ in range(100)]
    alone = [upscale_pixels(network, image, tile=128, overlap=16) for image in images]
    together = list(upscale_stream(network, enumerate(images), tile=128, overlap=16))
    assert [key for key, _ in together] == list(range(100))
    for (_, made), expected in zip(together, alone, strict=True):
        assert isinstance(made, np.ndarray)
        assert np.array_equal(made, expected)


def test_frames_of_a_video_are_the_same_each_time() -> None:
    def frames() -> Iterator[NDArray[np.uint16]]:
        random = np.random.default_rng(1)
        for _ in range(40):
            yield random.integers(0, 65536, (96, 128, 3), dtype=np.uint16)

    enlarge = Frames(backend("cuda", torch.float16), FrameOptions())
    first, second = (list(enlarge(frames())) for _ in range(2))
    assert len(first) == 40
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("precision", ["fp32", "fp16", "fp32-int8"])
def test_onnx_files_run_on_the_gpu(precision: str, artifacts: Artifacts) -> None:
    onnxruntime: Any = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has no CUDA")
    pixels = kind_of_picture("rgb8", 70, 90)
    made = upscale_pixels(OnnxBackend(artifacts.onnx(precision), provider="cuda"), pixels, tile=64)
    expected = upscale_pixels(OnnxBackend(artifacts.onnx(precision), provider="cpu"), pixels, tile=64)
    assert steps(made, expected) <= (1 if precision == "fp32" else 4)
