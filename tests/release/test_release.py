"""`aethernet release`: what is in the folder, that it is true, and that it is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.model.io import load_model, read_state_dict
from spandrel_aethernet.onnx_model.metadata import read_metadata
from spandrel_aethernet.release.make import make_release

from ..conftest import Result, start
from .folders import contents, save_small

pytest.importorskip("skimage")

ONNX = ("fp32", "fp16", "fp32_int8", "fp16_int8")
DOCUMENTS = {"README.md", "report.json", "SHA256SUMS", "comparison.png"}


def test_the_whole_folder(tmp_path: Path, images: Path, aethernet: Callable[..., Result]) -> None:
    out = tmp_path / "made" / "release"
    arguments = ["--name", "aether_test", "--images", images, "--json", "--no-engine"]
    result = aethernet("release", DEMO_MODEL, "-o", out, *arguments)
    assert (result.code, result.err) == (0, "no engine: left out, as asked\n")
    held = contents(out)
    checkpoints = {f"aether_test_2x_{form}" for form in ("notfused.pth", "fused.pth", "fused.safetensors")}
    assert held.keys() == checkpoints | {f"aether_test_2x_{form}.onnx" for form in ONNX} | DOCUMENTS

    lines = [line.split("  ") for line in held["SHA256SUMS"].decode().splitlines()]
    sums = {name: digest for digest, name in lines}
    actual = {name: hashlib.sha256(content).hexdigest() for name, content in held.items()}
    assert sums == {name: digest for name, digest in actual.items() if name != "SHA256SUMS"}

    document = json.loads(held["report.json"])
    assert document == json.loads(result.out)
    assert document["source_sha256"] == hashlib.sha256(DEMO_MODEL.read_bytes()).hexdigest()
    assert {file["name"]: file["sha256"] for file in document["files"]}.items() <= actual.items()
    assert [file["int8_share"] and round(file["int8_share"], 2) for file in document["files"]][-4:] == [
        None,
        None,
        0.82,
        0.84,
    ]
    assert all(len(export["agreements"]) == 3 for export in document["exports"])
    assert document["comparison"]["images"] == ["photo.png"]

    assert held["aether_test_2x_notfused.pth"] == DEMO_MODEL.read_bytes()
    fused = load_model(out / "aether_test_2x_fused.safetensors").model
    assert fused.trained_ranges == load_model(DEMO_MODEL).model.trained_ranges
    metadata = read_metadata(out / "aether_test_2x_fp16_int8.onnx")
    assert metadata is not None
    assert (metadata.source, metadata.preset) == (DEMO_MODEL.name, "tensorrt")


def test_the_card_tells_what_was_measured(tmp_path: Path, images: Path) -> None:
    report = make_release(save_small(tmp_path), tmp_path / "out", images=images, repeats=2, engine=False)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in card.splitlines() if line.startswith("| `")]
    assert [row[0].strip("|` ") for row in rows] == [file.name for file in report.files]
    for file, row in zip(report.files, rows, strict=True):
        assert row[2] == f"{file.size / 1e6:.2f} MB"
    for result in report.comparison.models:
        (row,) = (row for row in rows if result.model.name in row[0])
        assert row[4:6] == [f"{result.psnr:.2f} dB", f"{result.ssim:.4f}"]
    assert (
        "trtexec --onnx=mine_2x_fp32_int8.onnx --saveEngine=mine_2x_int8_dynamic.engine --int8 "
        "--minShapes=input:1x3x32x32 --optShapes=input:1x3x256x256 --maxShapes=input:16x3x1080x1920 "
        "--buildOnly --verbose\n"
    ) in card
    assert re.search(r"^!\[.*\]\(comparison.png\)$", card, re.MULTILINE)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("fused", [False, True])
def test_every_layout_is_released(fused: bool, suffix: str, tmp_path: Path, images: Path) -> None:
    source = save_small(tmp_path, fused=fused, suffix=suffix, scale=4, in_chans=1)
    make_release(source, tmp_path / "out", images=images, engine=False)
    expected = {f"mine_4x_{form}" for form in ("fused.pth", "fused.safetensors")}
    expected |= set() if fused else {"mine_4x_notfused.pth"}
    expected |= {f"mine_4x_{form}.onnx" for form in ONNX} | DOCUMENTS
    assert contents(tmp_path / "out").keys() == expected
    given = read_state_dict(source)
    for name in expected:
        if name.endswith("_notfused.pth"):
            released = read_state_dict(tmp_path / "out" / name)
            assert all(torch.equal(released[key], given[key]) for key in given)


def test_only_a_release_is_replaced(tmp_path: Path, images: Path, aethernet: Callable[..., Result]) -> None:
    source, out = save_small(tmp_path, depths=(1,)), tmp_path / "out"
    options = ["--images", images, "--no-engine"]
    make_release(source, out, images=images, engine=False)
    first = contents(out)
    again = aethernet("release", source, "-o", out, *options)
    assert (again.code, again.out) == (1, "")
    assert "out exists and is kept" in again.err
    assert contents(out) == first
    assert aethernet("release", source, "-o", out, *options, "--name", "b", "--force").code == 0
    assert "b_2x_fused.pth" in contents(out)
    assert "mine_2x_fused.pth" not in contents(out)
    (out / "diary.txt").write_text("precious")
    refused = aethernet("release", source, "-o", out, *options, "--force")
    assert refused.code == 1
    assert "out holds other files" in refused.err
    assert (out / "diary.txt").read_text() == "precious"


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("at", ["fusing", "fp16: exporting", "comparing"])
def test_whatever_ends_it_nothing_is_left(
    at: str, failure: BaseException, tmp_path: Path, images: Path
) -> None:
    source = save_small(tmp_path, depths=(1,))
    before = sorted(tmp_path.rglob("*"))

    def interrupt(step: str, _total: int) -> None:
        if step == at:
            raise failure

    with pytest.raises(type(failure)):
        make_release(source, tmp_path / "deep" / "out", images=images, on_step=interrupt)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal on POSIX")
def test_ctrl_c_leaves_nothing(tmp_path: Path, images: Path) -> None:
    out = tmp_path / "made"
    out.mkdir()
    process = start("release", DEMO_MODEL, "-o", out / "release", "--images", images)
    deadline = time.monotonic() + 120
    while not list(out.glob(".*/*_fp32.onnx")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "aethernet: cancelled" in errors
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine.pth", "--name", "a/b"], "'a/b' is no name for a model"),
        (["mine.pth", "--name", ""], "'' is no name for a model"),
        (["mine.pth", "--images", "empty"], "empty is a folder without images"),
        (["mine.pth", "--images", "nowhere"], "nowhere is not there"),
        (["mine.pth", "--calibrate", "empty"], "empty holds no images to calibrate on"),
        (["mine.pth", "-o", "mine.pth"], "mine.pth is no folder"),
        (["mine.pth", "-o", "mine.pth/out"], "cannot be written"),
        (["nowhere.pth"], "nowhere.pth cannot be read"),
        (["notes.pth"], "notes.pth is not a PyTorch file"),
    ],
)
def test_what_cannot_be_released_is_said_and_leaves_nothing(
    arguments: Sequence[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    aethernet: Callable[..., Result],
) -> None:
    monkeypatch.chdir(tmp_path)
    save_small(tmp_path, depths=(1,))
    Path("notes.pth").write_text("not a model")
    Path("empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    result = aethernet("release", "-o", "out", *arguments)
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before
