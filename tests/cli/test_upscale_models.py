"""`aethernet upscale` with ONNX files, and options that go with other models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from spandrel_aethernet.data import half_size
from spandrel_aethernet.images.files import Picture, read_picture, write_picture

from ..conftest import Result, make_network
from ..images.pictures import photograph, save
from ..inference.onnx_files import export, repeating, write_onnx


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_onnx_files_run_with_the_same_tiles_and_formats(
    dtype: str, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    model = write_onnx(tmp_path / "model.onnx", repeating(), dtype=dtype)
    photos = tmp_path / "photos"
    for kind in ("rgb8", "grey16", "rgba16"):
        save(photos / f"{kind}.png", kind)
    options = ("-m", model, "--backend", "onnx", "--tile", 20, "--overlap", 2)
    result = aethernet("upscale", photos, "-o", tmp_path / "out", *options)
    assert result.code == 0, result.err
    assert f"model.onnx: ONNX, any size, 2x, {dtype} on " in result.err
    for source in photos.iterdir():
        before, after = read_picture(source).pixels, read_picture(tmp_path / "out" / source.name).pixels
        assert after.dtype == before.dtype
        exact = before.dtype == np.uint8 or dtype == "float32"
        difference = np.abs(after.astype(int) - before.repeat(2, axis=0).repeat(2, axis=1)).max()
        assert difference <= (0 if exact else 32), "float16 has 11 bits"


def test_onnx_file_gives_what_its_checkpoint_gives(
    tmp_path: Path, small_model: Path, aethernet: Callable[..., Result]
) -> None:
    model = export(make_network().fuse(), tmp_path / "small.onnx")
    outputs: list[NDArray[np.int64]] = []
    for number, options in enumerate(
        (["-m", small_model, "--dtype", "float32"], ["-m", model, "--provider", "cpu"])
    ):
        out = tmp_path / f"{number}.png"
        command = ("upscale", half_size("coffee"), "-o", out, "--tile", 100, *options)
        assert aethernet(*command).code == 0
        outputs.append(read_picture(out).pixels.astype(int))
    assert int(np.abs(outputs[0] - outputs[1]).max()) <= 1


def test_onnx_file_of_one_size_takes_smaller_and_larger_images(
    tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    model = write_onnx(tmp_path / "fixed.onnx", repeating(), shape=(1, 3, 48, 64))
    for name, size in (("small", (20, 31)), ("large", (170, 200))):
        source, out = tmp_path / f"{name}.png", tmp_path / f"{name}_2x.png"
        write_picture(Picture(photograph(*size)), source)
        result = aethernet("upscale", source, "-o", out, "-m", model)
        assert result.code == 0, result.err
        expected = photograph(*size).repeat(2, axis=0).repeat(2, axis=1)
        assert np.array_equal(read_picture(out).pixels, expected)
    result = aethernet(
        "upscale", tmp_path / "large.png", "-o", tmp_path / "no.png", "-m", model, "--tile", 99
    )
    assert result.code == 1
    assert "takes 48×64 only and was given 99×99: give --tile 48" in result.err
    assert not (tmp_path / "no.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["-m", "small.pth", "--backend", "onnx"],
            "that onnx runs, which are .onnx: export it to ONNX first, or leave --backend onnx out",
        ),
        (
            ["-m", "net.onnx", "--backend", "pytorch"],
            "pytorch runs, which are .pth, .pt, ",
        ),
        (
            ["-m", "small.pth", "--provider", "cpu"],
            "is for ONNX files: leave --provider cpu out",
        ),
        (
            ["-m", "net.onnx", "--device", "cpu"],
            "and device is for checkpoints and TensorRT engines: leave --device cpu out",
        ),
        (["-m", "net.onnx", "--dtype", "float16"], "dtype is for checkpoints: leave --dtype float16 out"),
        (["-m", "net.onnx", "--compile"], "and compile is for checkpoints: leave --compile out"),
        (["-m", "net.onnx", "--weights", "raw"], "weights is for checkpoints: leave --weights raw out"),
        (["-m", "net.onnx", "--provider", "rocm"], "provider rocm is not in this ONNX Runtime: it has "),
        (["-m", "text.onnx"], "text.onnx is truncated or no ONNX file"),
        (["-m", "gone.onnx"], "gone.onnx cannot be read: "),
        (
            ["-m", "net.bin"],
            "net.bin is not named like a checkpoint, an ONNX file or an engine: expected .pth",
        ),
    ],
)
def test_options_and_models_that_do_not_go_together_are_said(
    options: list[str],
    message: str,
    tmp_path: Path,
    small_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    aethernet: Callable[..., Result],
) -> None:
    monkeypatch.chdir(tmp_path)
    small_model.rename("small.pth")
    write_onnx(Path("net.onnx"))
    Path("text.onnx").write_text("no network")
    save(Path("a.png"))
    result = aethernet("upscale", "a.png", "-o", "out/a.png", *options)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("aethernet: ")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not Path("out").exists()
