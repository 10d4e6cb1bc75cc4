"""`aethernet compare`: what is measured, in which order, and what is refused."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spandrel_aethernet.evaluation.compare import CROP, ZOOM, compare_models
from spandrel_aethernet.evaluation.metrics import psnr_inside, worst_window
from spandrel_aethernet.evaluation.pairs import PairFiles, find_pairs, read_pair
from spandrel_aethernet.images.files import Picture, read_picture, write_picture
from spandrel_aethernet.inference.open import OpenModel, open_each
from spandrel_aethernet.inference.stream import upscale_pixels
from spandrel_aethernet.progress import Silent

from ..conftest import Result, make_network
from ..images.pictures import photograph
from ..inference.backends import Repeat
from ..inference.onnx_files import export, repeating, weights, write_onnx

metrics: Any = pytest.importorskip("skimage.metrics")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two originals, one of odd size in a folder of its own."""
    path = tmp_path / "photos"
    for name, pixels in (("a.png", photograph(64, 80)), ("deep/b.png", photograph(71, 59, name="coffee"))):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(Picture(pixels), path / name)
    return path


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    """A checkpoint, the same network as an ONNX file, and an ONNX file of another one."""
    torch.save(make_network().state_dict(), tmp_path / "net.pth")
    return [
        tmp_path / "net.pth",
        export(make_network().fuse(), tmp_path / "net.onnx"),
        write_onnx(tmp_path / "other.onnx"),
    ]


def shrunk(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an original cropped to even sides, and at half its size, as Pillow makes it."""
    height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
    whole = Image.fromarray(pixels[:height, :width])
    return np.asarray(whole), np.asarray(whole.resize((width // 2, height // 2), Image.Resampling.BICUBIC))


def test_measures_are_those_of_the_models_outputs(
    folder: Path, models: list[Path], aethernet: Callable[..., Result]
) -> None:
    result = aethernet("compare", *models, "--images", folder, "--repeats", 2, "--json", "--device", "cpu")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["images"] == ["a.png", "b.png"]
    assert [model["file"] for model in document["models"]] == [str(model) for model in models]
    pairs = [shrunk(photograph(64, 80)), shrunk(photograph(71, 59, name="coffee"))]
    backends = [model.backend for model in open_each(models, device="cpu", dtype="float32")]
    outputs = [
        [upscale_pixels(backend, small, tile=128).astype(np.uint8) for _, small in pairs]
        for backend in backends
    ]
    for model, made in zip(document["models"], outputs, strict=True):
        scores = [psnr_inside(image, original) for image, (original, _) in zip(made, pairs, strict=True)]
        assert [image["psnr"] for image in model["images"]] == pytest.approx(scores)
        assert model["psnr"] == pytest.approx(np.mean(scores))
        differences = [a.astype(np.int16) - b for a, b in zip(made, outputs[0], strict=True)]
        assert model["largest_difference"] == max(int(abs(d).max()) for d in differences)
        assert model["ratio"] == document["models"][0]["seconds"] / model["seconds"]
    first, same, other = document["models"]
    assert (first["difference_psnr"], first["largest_difference"], first["ratio"]) == (None, 0, 1)
    assert same["largest_difference"] <= 1
    noise = [psnr_inside(a, b, border=0) for a, b in zip(outputs[2], outputs[0], strict=True)]
    power = sum(10 ** (-level / 10) for level in noise) / 2
    assert other["difference_psnr"] == pytest.approx(-10 * math.log10(power))


def test_ssim_is_that_of_the_paper(folder: Path, tmp_path: Path, aethernet: Callable[..., Result]) -> None:
    """Gaussian weights of 1.5 pixels, 11 to a side, population variance: computed here from its formula."""
    model = write_onnx(tmp_path / "repeat.onnx", repeating())
    result = aethernet("compare", model, "--images", folder, "--json")
    original, small = (image.astype(np.float64) for image in shrunk(photograph(64, 80)))
    output = small.repeat(2, axis=0).repeat(2, axis=1)
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = torch.from_numpy(np.outer(taps, taps) / taps.sum() ** 2)[None, None]

    def blurred(image: NDArray[np.float64]) -> torch.Tensor:
        return torch.conv2d(torch.from_numpy(image[2:-2, 2:-2]).permute(2, 0, 1)[:, None], window)

    x, y = blurred(output), blurred(original)
    xx, yy, xy = blurred(output**2) - x**2, blurred(original**2) - y**2, blurred(output * original) - x * y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssim = (2 * x * y + c1) * (2 * xy + c2) / ((x**2 + y**2 + c1) * (xx + yy + c2))
    found = json.loads(result.out)["models"][0]
    assert found["images"][0]["ssim"] == pytest.approx(float(ssim.mean()))
    assert found["ssim"] == pytest.approx((found["images"][0]["ssim"] + found["images"][1]["ssim"]) / 2)


def test_table_has_a_row_a_model_and_names_them_apart(
    folder: Path, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    first, second = write_onnx(tmp_path / "x/net.onnx"), write_onnx(tmp_path / "y/net.onnx", repeating())
    result = aethernet("compare", first, second, first, "--images", folder, "--repeats", 1)
    assert result.code == 0, result.err
    head, *rows = result.out.splitlines()
    assert head.split() == ["model", "PSNR", "SSIM", "to", "first", "at", "most", "time", "speed"]
    assert [row.split()[0] for row in rows] == [str(first), str(second), str(first)]
    assert len({len(row) for row in (head, *rows)}) == 1, "columns are aligned"
    assert rows[2].split()[-6:-2] == ["inf", "dB", "0/255", rows[2].split()[-3]]
    assert result.err.count("net.onnx: ONNX, any size, 2x, float32 on ") == 3


def test_models_take_turns_after_one_pass_each(folder: Path) -> None:
    turns: list[str] = []

    class Named(Repeat):
        def __init__(self, name: str, tile: int) -> None:
            super().__init__(side=tile)
            self.name = name

        def forward(self, batch: Tensor) -> Tensor:
            turns.append(self.name)
            return super().forward(batch)

    passes: list[int] = []

    class Counted(Silent):
        def advance(self, step: str | None = None) -> None:  # noqa: ARG002
            passes.append(len(turns))

    entries = [OpenModel(Path(name), Named(name, tile), name) for name, tile in (("a", 384), ("b", 50))]
    comparison = compare_models(entries, find_pairs(folder), repeats=2, progress=Counted())
    assert comparison.tile == 50, "the same for both"
    assert "".join(turns) == "ab" + "abab" + "abab"
    assert passes == list(range(1, 11))


def test_pairs_are_used_where_their_sizes_fit(tmp_path: Path) -> None:
    original, black = photograph(40, 60), np.zeros((20, 30, 3), np.uint8)
    for name, pixels in {
        "x_hr.png": original,
        "x_lr.webp": black,
        "y_lr.png": black,
        "z.png": np.full((33, 50, 2), 65535, np.uint16),
    }.items():
        write_picture(Picture(pixels), tmp_path / name)
    x, y, z = find_pairs(tmp_path)
    assert x == PairFiles(tmp_path / "x_hr.png", tmp_path / "x_lr.webp")
    assert y == PairFiles(tmp_path / "y_lr.png"), "without an x_hr beside it an original"
    assert read_pair(x, 2).small.max() < 3, "WebP is not exact"
    assert np.array_equal(read_pair(x, 2).original, original)
    assert read_pair(x, 4).small.shape == (10, 15, 3)
    assert read_pair(x, 4).small.max() > 100
    pair = read_pair(z, 2)
    assert pair.original.shape == (32, 50, 3)
    assert pair.original.min() == pair.small.min() == 255


def test_picture_shows_where_each_model_is_worst(tmp_path: Path, aethernet: Callable[..., Result]) -> None:
    """Black images with one white square each: a darker model differs only there."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, level, corner in (("dim.png", 100, (20, 10)), ("bright.png", 255, (120, 220))):
        pixels = np.zeros((200, 300, 3), np.uint8)
        pixels[corner[0] : corner[0] + 20, corner[1] : corner[1] + 20] = level
        write_picture(Picture(pixels), photos / name)
    models = [write_onnx(tmp_path / f"{gain}.onnx", repeating(gain=gain)) for gain in (1.0, 0.6)]
    picture = tmp_path / "worst.png"
    result = aethernet("compare", *models, "--images", photos, "--json", "--picture", picture)
    assert result.code == 0, result.err
    assert json.loads(result.out)["models"][1]["worst_image"] == "bright.png"
    drawn = read_picture(picture).pixels
    side = CROP * ZOOM
    assert drawn.shape == (2 * (side + 40), 3 * side + 2 * 8, 3)
    row = drawn[-side:]
    original, first, second = row[:, :side], row[:, side + 8 : -side - 8], row[:, -side:]
    assert (original == 255).all(axis=2).sum() == (20 * ZOOM) ** 2
    assert (first == 255).all(axis=2).sum() == (second == 153).all(axis=2).sum() >= (16 * ZOOM) ** 2
    assert np.abs(second - 0.6 * first).max() < 1
    label = drawn[-side - 40 : -side, -side:]
    assert (label < 128).any()
    again = aethernet("compare", *models, "--images", photos, "--picture", picture)
    assert (again.code, again.out) == (1, "")
    assert "exists and is kept" in again.err


def test_worst_window_is_found() -> None:
    image, other = np.zeros((2, 50, 70, 3), np.uint8)
    other[5, 5] = 60
    other[40:44, 61:65] = 20
    window = worst_window(image, other, 8)
    assert (window.rows.start <= 40, window.rows.stop >= 44) == (True, True)
    assert (window.columns.start <= 61, window.columns.stop >= 65) == (True, True)
    assert window.error == pytest.approx(16 * 400 / 64)
    small = worst_window(image[:5], other[:5], 8)
    assert (small.rows, small.columns, small.error) == (slice(0, 5), slice(0, 8), 0)


def test_missing_scikit_image_is_said(
    folder: Path, models: list[Path], monkeypatch: pytest.MonkeyPatch, aethernet: Callable[..., Result]
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    result = aethernet("compare", *models, "--images", folder)
    assert result.code == 1
    assert 'skimage is not installed here: pip install "spandrel-aethernet[compare]"' in result.err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["2x.onnx", "3x.onnx", "--images", "photos"],
            "3x.onnx has scale 3 and 2x.onnx 2: only models of one",
        ),
        (["2x.onnx", "grey.onnx", "--images", "photos"], "grey.onnx has channels 1 and 2x.onnx 3: only"),
        (["2x.onnx", "--images", "gone"], "gone is not there"),
        (["2x.onnx", "--images", "2x.onnx"], "2x.onnx is not a folder"),
        (["2x.onnx", "--images", "empty"], "empty is a folder without images"),
        (["2x.onnx", "--images", "tiny"], "t.png is too small to compare: expected 16 pixels or more"),
        (["2x.onnx", "--images", "broken"], "b.png cannot be read as an image"),
        (["2x.onnx", "gone.pth", "--images", "photos"], "gone.pth cannot be read"),
        (["2x.onnx", "a.bin", "--images", "photos"], "a.bin is not named like a checkpoint, an ONNX file or"),
        (["2x.onnx", "--images", "photos", "--picture", "worst"], "worst is not named like an image"),
    ],
)
def test_what_cannot_be_compared_is_said(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    aethernet: Callable[..., Result],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_onnx(Path("2x.onnx"))
    write_onnx(Path("3x.onnx"), scale=3)
    write_onnx(Path("grey.onnx"), weights(channels=1), shape=("n", 1, "h", "w"))
    for name in ("empty", "tiny", "broken"):
        Path(name).mkdir()
    Path("broken/b.png").write_bytes(b"no picture")
    write_picture(Picture(photograph(15, 40)), Path("tiny/t.png"))
    result = aethernet("compare", *arguments, *([] if "--picture" in arguments else ["--picture", "out.png"]))
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert not Path("out.png").exists()


@pytest.mark.parametrize(
    "arguments", [["--images", "x"], ["a.onnx"], ["a.onnx", "--images", "x", "--repeats", "0"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str], aethernet: Callable[..., Result]) -> None:
    with pytest.raises(SystemExit) as error:
        aethernet("compare", *arguments)
    assert error.value.code == 2
