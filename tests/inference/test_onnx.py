"""Running ONNX files: what is read from them, fixed sizes, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper

from spandrel_aethernet.errors import ArgumentError, CheckpointError, MissingPackageError, OnnxError
from spandrel_aethernet.inference.onnx import OnnxBackend
from spandrel_aethernet.inference.onnx_session import choose_providers
from spandrel_aethernet.inference.open import open_model
from spandrel_aethernet.inference.padding import Accepted
from spandrel_aethernet.inference.pytorch import PyTorchBackend
from spandrel_aethernet.inference.stream import upscale_pixels

from ..artifacts import TINY
from ..conftest import make_network
from ..images.pictures import photograph
from .backends import run
from .onnx_files import (
    ANY_SIZE,
    Shape,
    expected,
    export,
    keep_weights_in,
    value,
    weights,
    write_graph,
    write_onnx,
)


def batch(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).random(shape, np.float32)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 5e-3)])
def test_float32_and_float16_files_give_what_the_network_gives(
    dtype: str, tolerance: float, tmp_path: Path
) -> None:
    backend = OnnxBackend(write_onnx(tmp_path / "net.onnx", dtype=dtype, names=("lr image", "y")))
    assert (backend.scale, backend.channels) == (2, 3)
    assert backend.description == f"ONNX, any size, 2x, {dtype} on CPUExecutionProvider"
    image = batch(2, 3, 19, 26)
    output = run(backend, image)
    assert output.shape == (2, 3, 38, 52)
    difference = float(np.abs(output - expected(image, weights())).max())
    assert difference < tolerance
    assert dtype == "float32" or difference > 1e-5, "or the file is not float16"


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("scale", [1, 2, 3, 8])
def test_scale_and_channels_are_found(scale: int, channels: int, tmp_path: Path) -> None:
    shape: Shape = ("n", channels, "h", "w")
    backend = OnnxBackend(
        write_onnx(tmp_path / "net.onnx", weights(channels, scale), scale=scale, shape=shape)
    )
    assert (backend.scale, backend.channels) == (scale, channels)
    image = batch(1, channels, 7, 5)
    assert np.allclose(run(backend, image), expected(image, weights(channels, scale), scale), atol=1e-5)


def test_unnamed_axes_are_any_size_and_rgb(tmp_path: Path) -> None:
    backend = OnnxBackend(write_onnx(tmp_path / "net.onnx", shape=(None, None, None, None)))
    assert (backend.channels, backend.max_batch, backend.accepted) == (3, 1, Accepted())


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("shape", [(2, 3, 24, 20), ("n", 3, 24, "w"), (1, 3, "h", 20), (4, 3, "h", "w")])
def test_what_is_smaller_than_fixed_is_padded_by_its_edge(shape: Shape, count: int, tmp_path: Path) -> None:
    backend = OnnxBackend(write_onnx(tmp_path / "net.onnx", shape=shape))
    image = batch(count, 3, 13, 17)
    output = run(backend, image)
    assert output.shape == (count, 3, 26, 34)
    rows, columns = 24 - 13 if 24 in shape else 0, 20 - 17 if 20 in shape else 0
    padded = np.pad(image, ((0, 0), (0, 0), (0, rows), (0, columns)), mode="edge")
    assert np.allclose(output, expected(padded, weights())[:, :, :26, :34], atol=1e-5)


def test_fixed_size_is_the_tile(tmp_path: Path) -> None:
    fixed = OnnxBackend(write_onnx(tmp_path / "fixed.onnx", shape=(1, 3, 40, 56)))
    free = OnnxBackend(write_onnx(tmp_path / "free.onnx"))
    assert fixed.auto_tile() == 40
    assert free.auto_tile() == 512
    assert fixed.description.startswith("ONNX, 40×56 only, 2x")
    pixels = photograph(70, 95)
    tiled = upscale_pixels(fixed, pixels, tile=fixed.auto_tile(), overlap=4)
    whole = upscale_pixels(free, pixels, tile=320)
    # In the last column the kernel sees the padding in place of the zeros beyond the image.
    assert np.array_equal(tiled[:, :-2], whole[:, :-2])
    with pytest.raises(OnnxError, match=r"takes 40×56 only and was given 41×41: give tile=40$"):
        run(fixed, batch(1, 3, 41, 41))


def test_large_scales_get_smaller_tiles(tmp_path: Path) -> None:
    backend = OnnxBackend(write_onnx(tmp_path / "net.onnx", weights(3, 8), scale=8))
    assert backend.auto_tile() == 128


def test_exported_aethernet_gives_what_pytorch_gives(tmp_path: Path) -> None:
    network = make_network(**TINY).fuse()
    backend = OnnxBackend(export(network, tmp_path / "net.onnx"))
    reference = PyTorchBackend(network, torch.device("cpu"), torch.float32)
    for shape in ((1, 3, 19, 26), (2, 3, 33, 16)):
        image = batch(*shape)
        assert float(np.abs(run(backend, image) - run(reference, image)).max()) < 1e-4


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    keep_weights_in(path, "net.onnx.data")
    image = batch(1, 3, 9, 9)
    assert np.allclose(run(OnnxBackend(path), image), expected(image, weights()), atol=1e-5)


def test_weights_that_are_inputs_too_are_no_inputs_and_nothing_is_logged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    backend = OnnxBackend(write_onnx(tmp_path / "net.onnx", weights_as_input=True))
    with pytest.raises(OnnxError, match="fails on a tile of 8×8: Got invalid dimensions"):
        run(backend, batch(1, 4, 8, 8))
    assert capfd.readouterr() == ("", "")


def not_an_image_network(path: Path) -> None:
    io = [value("x", ["n", 10])], [value("y", ["n", 10])]
    write_graph(path, [helper.make_node("Relu", ["x"], ["y"])], *io)


def two_inputs(path: Path) -> None:
    io = [value("x", ANY_SIZE), value("noise", ANY_SIZE)], [value("y", ANY_SIZE)]
    write_graph(path, [helper.make_node("Add", ["x", "noise"], ["y"])], *io)


def two_outputs(path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Abs", ["x"], ["z"])]
    write_graph(path, nodes, [value("x", ANY_SIZE)], [value("y", ANY_SIZE), value("z", ANY_SIZE)])


def other_channels(path: Path) -> None:
    write_onnx(path, np.ones((8, 3, 3, 3), np.float32))


def integers(path: Path) -> None:
    io = [value("x", ANY_SIZE, "uint8")], [value("y", ANY_SIZE, "uint8")]
    write_graph(path, [helper.make_node("Identity", ["x"], ["y"])], *io)


def half_more(path: Path) -> None:
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")
    scales = {"scales": np.array([1, 1, 1.5, 1.5], np.float32)}
    write_graph(path, [node], [value("x", ANY_SIZE)], [value("y", ANY_SIZE)], scales)


def half_size(path: Path) -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    write_graph(path, [node], [value("x", ANY_SIZE)], [value("y", ["n", 3, "h", "w"])])


def classifier(path: Path) -> None:
    node = helper.make_node("GlobalAveragePool", ["x"], ["y"])
    write_graph(path, [node], [value("x", ANY_SIZE)], [value("y", ["n", 3, 1, 1])])


def transposed(path: Path) -> None:
    node = helper.make_node("Transpose", ["x"], ["y"], perm=[0, 1, 3, 2])
    write_graph(path, [node], [value("x", ANY_SIZE)], [value("y", ["n", 3, "w", "h"])])


def unknown_operator(path: Path) -> None:
    write_graph(
        path, [helper.make_node("Enlarge", ["x"], ["y"])], [value("x", ANY_SIZE)], [value("y", ANY_SIZE)]
    )


def truncated(path: Path) -> None:
    path.write_bytes(write_onnx(path).read_bytes()[:-40])


def no_onnx(path: Path) -> None:
    path.write_text("a letter, not a network")


def no_graph(path: Path) -> None:
    path.write_bytes(b"\x08\x08")


def outside(path: Path) -> None:
    keep_weights_in(write_onnx(path), "../weights.bin")


def outside_by_link(path: Path) -> None:
    keep_weights_in(write_onnx(path), "weights.bin")
    link = path.parent / "weights.bin"
    link.rename(path.parent.parent / "elsewhere.bin")
    link.symlink_to(path.parent.parent / "elsewhere.bin")


def absolute(path: Path) -> None:
    keep_weights_in(write_onnx(path), str(path.parent.parent / "weights.bin"))


def gone(path: Path) -> None:
    keep_weights_in(write_onnx(path), "weights.bin")
    (path.parent / "weights.bin").unlink()


def nothing(path: Path) -> None:
    assert not path.exists()


def short_weights(path: Path) -> None:
    keep_weights_in(write_onnx(path), "weights.bin")
    (path.parent / "weights.bin").write_bytes(b"\0" * 16)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (not_an_image_network, "is not a super-resolution network: x has 2 dimensions, not 4"),
        (two_inputs, "is not a super-resolution network: it has 2 inputs and 1 outputs"),
        (two_outputs, "is not a super-resolution network: it has 1 inputs and 2 outputs"),
        (other_channels, "is not a super-resolution network: it makes 1×2×128×96 of 1×3×64×48"),
        (integers, r"is not a super-resolution network: x is tensor\(uint8\), not float32 or float16"),
        (half_more, "is not a super-resolution network: it makes 1×3×96×72 of 1×3×64×48"),
        (half_size, "is not a super-resolution network: it makes 1×3×32×24 of"),
        (classifier, "is not a super-resolution network: it makes 1×3×1×1 of"),
        (transposed, "is not a super-resolution network: it makes 1×3×48×64 of"),
        (unknown_operator, r"cannot be loaded by ONNX Runtime \d.*Enlarge"),
        (truncated, "is truncated or no ONNX file"),
        (no_onnx, "is truncated or no ONNX file"),
        (no_graph, "is no ONNX model: it holds no operators"),
        (Path.touch, "is empty: download"),
        (Path.mkdir, "cannot be read: "),
        (nothing, "cannot be read: No such file"),
        (outside, r"keeps kernel in '\.\./weights\.bin', outside its own folder"),
        (outside_by_link, "keeps kernel in 'weights.bin', outside its own folder"),
        (absolute, r"keeps kernel in '/.*weights\.bin', outside its own folder"),
        (gone, r"keeps kernel in weights.bin, which cannot be read \(No such file"),
        (short_weights, "keeps kernel in weights.bin, which is truncated"),
    ],
)
def test_what_cannot_run_is_refused_in_one_sentence(
    make: Callable[[Path], object],
    message: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "folder" / "net.onnx"
    path.parent.mkdir()
    make(path)
    with pytest.raises(OnnxError, match=message) as error:
        OnnxBackend(path)
    assert str(error.value).startswith(f"{path} ")
    assert "\n" not in str(error.value)
    assert "onnxruntime_src" not in str(error.value)
    assert capfd.readouterr() == ("", ""), "ONNX Runtime says it a second time otherwise"


def test_a_size_that_fails_later_is_said(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "grid"], ["y"])]
    grid = {"grid": np.ones((1, 3, 64, 48), np.float32)}
    path = write_graph(tmp_path / "a.onnx", nodes, [value("x", ANY_SIZE)], [value("y", ANY_SIZE)], grid)
    with pytest.raises(OnnxError, match="fails on a tile of 30×30: "):
        run(OnnxBackend(path), batch(1, 3, 30, 30))
    nodes = [helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode="nearest")]
    sizes = {"sizes": np.array([1, 3, 128, 96])}
    path = write_graph(tmp_path / "b.onnx", nodes, [value("x", ANY_SIZE)], [value("y", ANY_SIZE)], sizes)
    with pytest.raises(OnnxError, match="made 1×3×128×96 of 1×3×30×30: expected 1×3×60×60"):
        run(OnnxBackend(path), batch(1, 3, 30, 30))


def test_providers_are_found_by_short_and_exact_names(tmp_path: Path) -> None:
    cpu, cuda, dml = "CPUExecutionProvider", "CUDAExecutionProvider", "DmlExecutionProvider"
    tensorrt = "TensorrtExecutionProvider"
    assert choose_providers("auto", [tensorrt, cuda, cpu]) == [cuda, cpu]
    assert choose_providers("auto", [dml, cpu]) == [cpu]
    assert choose_providers("dml", [dml, cpu]) == [dml, cpu]
    assert choose_providers(tensorrt, [tensorrt, cuda, cpu]) == [tensorrt, cpu]
    assert choose_providers("CPU", [cuda, cpu]) == [cpu]
    with pytest.raises(ArgumentError, match=r"provider cuda is not in this ONNX Runtime: it has Dml.*, CPU"):
        choose_providers("cuda", [dml, cpu])
    path = write_onnx(tmp_path / "net.onnx")
    assert OnnxBackend(path, provider=cpu).provider == cpu
    for file in (path, tmp_path / "gone.onnx"):
        with pytest.raises(ArgumentError, match=r"provider quick is not in this ONNX Runtime: it has .*CPU"):
            OnnxBackend(file, provider="quick")


@pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
def test_missing_library_is_said(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        MissingPackageError,
        match=rf'^{library} is not installed here: pip install "spandrel-aethernet\[onnx\]"$',
    ):
        OnnxBackend(path)


def test_backend_is_chosen_by_suffix(tmp_path: Path) -> None:
    torch.save(make_network(**TINY).state_dict(), tmp_path / "net.pth")
    checkpoint = open_model(tmp_path / "net.pth", device="cpu", dtype="float32")
    assert isinstance(checkpoint.backend, PyTorchBackend)
    assert checkpoint.description == "net.pth: custom, not fused, 2x, float32 on cpu"
    onnx_file = open_model(write_onnx(tmp_path / "net.ONNX"), provider="cpu")
    assert isinstance(onnx_file.backend, OnnxBackend)
    assert onnx_file.description == "net.ONNX: ONNX, any size, 2x, float32 on CPUExecutionProvider"
    with pytest.raises(CheckpointError, match=r"expected \.pth, .*\.safetensors, \.onnx, \.engine"):
        open_model(tmp_path / "net.bin")
