"""Running ONNX files with OpenVINO: what it makes of them, its devices and dtypes, and what is refused."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

from spandrel_aethernet import export_onnx
from spandrel_aethernet.errors import ArgumentError, MissingPackageError, OnnxError
from spandrel_aethernet.images.files import read_picture
from spandrel_aethernet.inference.onnx import OnnxBackend
from spandrel_aethernet.inference.open import backend_for, open_each, open_model
from spandrel_aethernet.inference.openvino import OpenVinoBackend
from spandrel_aethernet.inference.openvino_choice import openvino_is_faster
from spandrel_aethernet.inference.openvino_core import choose_openvino_device, open_core
from spandrel_aethernet.inference.pytorch import computes_bfloat16

from ..artifacts import Artifacts
from ..conftest import Result
from ..images.pictures import photograph
from .backends import run
from .onnx_files import (
    ANY_SIZE,
    Shape,
    expected,
    keep_weights_in,
    repeating,
    value,
    weights,
    write_graph,
    write_onnx,
)

pytest.importorskip("openvino")


def batch(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).random(shape, np.float32)


def bytes_of(backend: OpenVinoBackend | OnnxBackend, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return backend(pixels[None])[0]


def psnr(first: NDArray[np.generic], second: NDArray[np.generic], peak: float = 255) -> float:
    error = float(np.mean((first.astype(np.float64) - second.astype(np.float64)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 5e-3)])
def test_float32_and_float16_files_give_what_the_network_gives(
    dtype: str, tolerance: float, tmp_path: Path
) -> None:
    path = write_onnx(tmp_path / "net.onnx", dtype=dtype, names=("lr image", "y"))
    backend = OpenVinoBackend(path, device="cpu", dtype="float32")
    assert (backend.scale, backend.channels) == (2, 3)
    assert backend.description == "ONNX, any size, 2x, float32 on OpenVINO's CPU"
    for shape in ((2, 3, 19, 26), (1, 3, 8, 5)):
        image = batch(*shape)
        assert float(np.abs(run(backend, image) - expected(image, weights())).max()) < tolerance


@pytest.mark.parametrize("shape", [(2, 3, 24, 20), ("n", 3, 24, "w"), (1, 3, "h", 20), (4, 3, "h", "w")])
def test_what_is_smaller_than_fixed_is_padded_by_its_edge(shape: Shape, tmp_path: Path) -> None:
    backend = OpenVinoBackend(write_onnx(tmp_path / "net.onnx", shape=shape), dtype="float32")
    image = batch(5, 3, 13, 17)
    rows, columns = 24 - 13 if 24 in shape else 0, 20 - 17 if 20 in shape else 0
    padded = np.pad(image, ((0, 0), (0, 0), (0, rows), (0, columns)), mode="edge")
    assert np.allclose(run(backend, image), expected(padded, weights())[:, :, :26, :34], atol=1e-5)


def test_what_was_returned_stays_when_the_next_comes(tmp_path: Path) -> None:
    backend = OpenVinoBackend(write_onnx(tmp_path / "net.onnx", repeating()), dtype="float32")
    first, second = photograph(16, 16), photograph(16, 16, name="coffee")
    pending = backend.submit(first[None])
    backend(second[None])
    assert np.array_equal(pending()[0], first.repeat(2, 0).repeat(2, 1))


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    keep_weights_in(path, "net.onnx.data")
    image = batch(1, 3, 9, 9)
    assert np.allclose(
        run(OpenVinoBackend(path, dtype="float32"), image), expected(image, weights()), atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "preset", "least"),
    [
        ("fp32", None, 65),
        ("fp16", None, 55),
        ("fp32-int8", "onnxruntime", 35),
        ("fp32-int8", "tensorrt", 35),
        ("fp16-int8", "tensorrt", 35),
    ],
)
def test_every_export_gives_what_onnx_runtime_gives(
    precision: str, preset: str | None, least: float, artifacts: Artifacts, tmp_path: Path
) -> None:
    path, pixels = tmp_path / "net.onnx", photograph(64, 80)
    export_onnx(artifacts.tiny, path, precision=precision, preset=preset, verified=False)
    reference = bytes_of(OnnxBackend(path, provider="cpu"), pixels)
    exact = OpenVinoBackend(path, device="cpu", dtype="float32")
    assert psnr(bytes_of(exact, pixels), reference) > least
    # A network of random weights enlarges what is rounded; the trained one stays above 51 dB.
    assert psnr(bytes_of(OpenVinoBackend(path, device="cpu"), pixels), reference) > 30


def test_only_images_of_8_bits_run_in_fewer_bits(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    chosen, exact = OpenVinoBackend(path, device="cpu"), OpenVinoBackend(path, device="cpu", dtype="float32")
    words = "bfloat16 (8-bit images) or float32" if computes_bfloat16() else "float32"
    assert chosen.description == f"ONNX, any size, 2x, {words} on OpenVINO's CPU"
    deep = (photograph(20, 24).astype(np.uint16) * 257)[None]
    assert np.array_equal(chosen(deep), exact(deep))
    plain = photograph(20, 24)[None]
    assert psnr(chosen(plain), exact(plain)) > 45
    assert np.array_equal(chosen(plain), exact(plain)) != computes_bfloat16()


def test_devices_are_called_as_openvino_calls_them(tmp_path: Path) -> None:
    core = open_core()
    assert choose_openvino_device("cpu", core) == choose_openvino_device("CPU", core) == "CPU"
    path = write_onnx(tmp_path / "net.onnx")
    for name in ("cuda:0", "gpu.7", "npu.3"):
        with pytest.raises(ArgumentError, match=rf"device {name} is not one that OpenVINO finds here.*cpu"):
            OpenVinoBackend(path, device=name)


class TwoGpus:
    """What OpenVINO tells of a computer with two GPUs: both in the processor, or one of them beside it."""

    available_devices = ("CPU", "GPU.0", "GPU.1")

    def __init__(self, beside: bool) -> None:
        self.beside = beside

    def get_property(self, device: str, name: str) -> object:
        assert name == "DEVICE_TYPE"
        import openvino

        kinds = openvino.properties.device.Type
        return kinds.DISCRETE if self.beside and device == "GPU.1" else kinds.INTEGRATED


def test_a_gpu_is_chosen_by_name_or_where_it_has_memory_of_its_own() -> None:
    assert choose_openvino_device("gpu", TwoGpus(beside=True)) == "GPU.0"
    assert choose_openvino_device("gpu.1", TwoGpus(beside=True)) == "GPU.1"
    assert choose_openvino_device("auto", TwoGpus(beside=True)) == "GPU.1"
    assert choose_openvino_device("auto", TwoGpus(beside=False)) == "CPU"


def two_inputs(path: Path) -> None:
    io = [value("x", ANY_SIZE), value("noise", ANY_SIZE)], [value("y", ANY_SIZE)]
    write_graph(path, [helper.make_node("Add", ["x", "noise"], ["y"])], *io)


def integers(path: Path) -> None:
    io = [value("x", ANY_SIZE, "uint8")], [value("y", ANY_SIZE, "uint8")]
    write_graph(path, [helper.make_node("Identity", ["x"], ["y"])], *io)


def half_size(path: Path) -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    write_graph(path, [node], [value("x", ANY_SIZE)], [value("y", ["n", 3, "h", "w"])])


def unknown_operator(path: Path) -> None:
    node = helper.make_node("Enlarge", ["x"], ["y"])
    write_graph(path, [node], [value("x", ANY_SIZE)], [value("y", ANY_SIZE)])


def truncated(path: Path) -> None:
    path.write_bytes(write_onnx(path).read_bytes()[:-40])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (two_inputs, "is not a super-resolution network: it has 2 inputs and 1 outputs"),
        (integers, "is not a super-resolution network: x is u8, not float32 or float16"),
        (half_size, "is not a super-resolution network: it makes 1×3×32×24 of"),
        (unknown_operator, "cannot be loaded by OpenVINO: .*Enlarge"),
        (truncated, "is truncated or no ONNX file"),
    ],
)
def test_what_cannot_run_is_refused_in_one_sentence(
    make: Callable[[Path], object], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.onnx"
    make(path)
    with pytest.raises(OnnxError, match=message) as error:
        OpenVinoBackend(path)
    assert str(error.value).startswith(f"{path} ")
    assert "\n" not in str(error.value)
    assert "src/" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_size_that_fails_later_is_said(tmp_path: Path) -> None:
    grid = {"grid": np.ones((1, 3, 64, 48), np.float32)}
    nodes = [helper.make_node("Add", ["x", "grid"], ["y"])]
    path = write_graph(tmp_path / "a.onnx", nodes, [value("x", ANY_SIZE)], [value("y", ANY_SIZE)], grid)
    with pytest.raises(OnnxError, match="fails on a tile of 30×30: ") as error:
        run(OpenVinoBackend(path), batch(1, 3, 30, 30))
    assert "\n" not in str(error.value)
    assert "src/" not in str(error.value)


def test_backend_is_chosen_by_name_and_by_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    assert (backend_for(path), backend_for(path, "openvino")) == ("onnx", "openvino")
    asked = open_model(path, backend="openvino", device="cpu", dtype="float32")
    assert isinstance(asked.backend, OpenVinoBackend)
    assert asked.description == "net.onnx: ONNX, any size, 2x, float32 on OpenVINO's CPU"
    left = open_model(path)
    assert isinstance(left.backend, OpenVinoBackend) == openvino_is_faster()
    assert left.description.endswith("faster here than ONNX Runtime") == openvino_is_faster()
    assert isinstance(open_model(path, provider="cpu").backend, OnnxBackend)
    assert isinstance(open_model(path, backend="onnx").backend, OnnxBackend)
    assert isinstance(open_each([path], device="cpu")[0].backend, OnnxBackend)
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert isinstance(open_model(path).backend, OnnxBackend), "what is not installed is not chosen"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("net.pth", {}, r"not named like a file that openvino runs, .* \.onnx: export it to ONNX first"),
        ("net.engine", {}, r"not named like a file that openvino runs"),
        ("net.onnx", {"provider": "cpu"}, "run by openvino, and provider is for onnx"),
        ("net.onnx", {"weights": "raw"}, "run by openvino, and weights is for checkpoints"),
    ],
)
def test_what_is_not_for_openvino_is_refused(
    name: str, options: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=message):
        open_model(tmp_path / name, backend="openvino", **options)  # pyright: ignore[reportArgumentType]


def test_missing_library_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(
        MissingPackageError,
        match=r'^openvino is not installed here: pip install "spandrel-aethernet\[openvino\]"$',
    ):
        OpenVinoBackend(path)


@pytest.mark.slow
def test_several_workers_give_the_same_bytes(
    artifacts: Artifacts, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    (photo,) = artifacts.images.iterdir()
    sources = tmp_path / "in"
    sources.mkdir()
    for index in range(3):
        (sources / f"{index}.png").write_bytes(photo.read_bytes())
    common = ("upscale", sources, "-m", artifacts.onnx("fp32-int8"), "--backend", "openvino", "--tile", 48)
    alone = aethernet(*common, "-o", tmp_path / "alone")
    assert alone.code == 0, alone.err
    several = aethernet(*common, "-o", tmp_path / "several", "--workers", 2)
    assert several.code == 0, several.err
    for index in range(3):
        pixels = [read_picture(tmp_path / out / f"{index}.png").pixels for out in ("alone", "several")]
        assert np.array_equal(pixels[0], pixels[1])
