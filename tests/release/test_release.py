"""`aethernet release`: what is in the folder, that it is true, and that it is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from spandrel_aethernet.errors import ArgumentError
from spandrel_aethernet.lint.linter import lint_onnx
from spandrel_aethernet.model.io import load_model, read_state_dict
from spandrel_aethernet.progress import Silent
from spandrel_aethernet.release.checksums import holds_nothing_else
from spandrel_aethernet.release.make import make_release

from ..artifacts import Artifacts
from ..conftest import Result, start
from .folders import contents, save_small

pytest.importorskip("skimage")

ONNX = ("fp32", "fp16", "fp32_int8", "fp16_int8")
ENGINE = "aether_tiny_2x_fp16_int8_rtx.engine"
TRITON = {f"triton/aether_tiny_2x_fp16/{name}" for name in ("1/model.onnx", "config.pbtxt")}
DOCUMENTS = {"README.md", "report.json", "SHA256SUMS", "comparison.png"}


def test_the_whole_folder(release: Path) -> None:
    built = [f"{ENGINE}", f"{ENGINE}.json"] if find_spec("tensorrt_rtx") else []
    models = {*_models("aether_tiny_2x", not_fused=True), *built, *TRITON}
    assert contents(release).keys() == models | DOCUMENTS


def test_checksums_are_those_of_all_other_files(release: Path) -> None:
    held = contents(release)
    lines = [line.split("  ") for line in held.pop("SHA256SUMS").decode().splitlines()]
    assert {name: digest for digest, name in lines} == {
        name: hashlib.sha256(content).hexdigest() for name, content in held.items()
    }


def test_the_report_is_true_of_the_files(release: Path, artifacts: Artifacts) -> None:
    held = contents(release)
    document = json.loads(held["report.json"])
    assert document["source"] == artifacts.tiny.name
    assert document["source_sha256"] == hashlib.sha256(artifacts.tiny.read_bytes()).hexdigest()
    for file in document["files"]:
        content = held[file["name"]]
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        int8 = "int8" in file["precision"]
        assert (file["int8_share"] is not None) == int8
        if int8 and file["name"].endswith(".onnx"):
            assert file["int8_share"] == lint_onnx(release / file["name"]).coverage.total.ratio
    assert all(len(export["agreements"]) == 3 for export in document["exports"])
    assert document["comparison"]["images"] == ["photo.png"]


def test_the_not_fused_copy_is_the_file_itself(release: Path, artifacts: Artifacts) -> None:
    assert (release / "aether_tiny_2x_notfused.pth").read_bytes() == artifacts.tiny.read_bytes()


def test_the_fused_checkpoint_keeps_the_trained_ranges(release: Path, artifacts: Artifacts) -> None:
    fused = load_model(release / "aether_tiny_2x_fused.safetensors").model
    assert fused.trained_ranges == load_model(artifacts.tiny).model.trained_ranges is not None


@pytest.mark.parametrize("precision", ["fp32", "fp16", "fp32-int8", "fp16-int8"])
def test_onnx_files_are_those_that_the_export_writes(
    precision: str, release: Path, artifacts: Artifacts
) -> None:
    name = f"aether_tiny_2x_{precision.replace('-', '_')}.onnx"
    assert (release / name).read_bytes() == artifacts.onnx(precision).read_bytes()


def test_the_card_tells_what_was_measured(release: Path) -> None:
    card = (release / "README.md").read_text(encoding="utf-8")
    document = json.loads((release / "report.json").read_text(encoding="utf-8"))
    rows = [line.split(" | ") for line in card.splitlines() if line.startswith("| `")]
    assert [row[0].strip("|` ") for row in rows] == [file["name"] for file in document["files"]]
    for file, row in zip(document["files"], rows, strict=True):
        assert row[2] == f"{file['size'] / 1e6:.2f} MB"
    assert len(document["comparison"]["models"]) == 5
    for result in document["comparison"]["models"]:
        (row,) = (row for row in rows if f"`{result['file']}`" in row[0])
        assert row[4:6] == [f"{result['psnr']:.2f} dB", f"{result['ssim']:.4f}"]
    assert (
        "trtexec --onnx=aether_tiny_2x_fp32_int8.onnx --saveEngine=aether_tiny_2x_int8_dynamic.engine --int8 "
        "--minShapes=input:1x3x32x32 --optShapes=input:1x3x256x256 --maxShapes=input:16x3x1080x1920 "
        "--buildOnly --verbose\n"
    ) in card
    assert re.search(r"^!\[.*\]\(comparison.png\)$", card, re.MULTILINE)


@pytest.mark.release
def test_a_not_fused_safetensors_file_of_another_scale_is_released(
    tmp_path: Path, images: Path, aethernet: Callable[..., Result]
) -> None:
    source, out = save_small(tmp_path, suffix=".safetensors", scale=4, in_chans=1), tmp_path / "made" / "out"
    result = aethernet("release", source, "-o", out, "--images", images, "--json", "--no-engine")
    assert (result.code, result.err) == (0, "no engine: left out, as asked\n")
    held = contents(out)
    assert held.keys() == _models("mine_4x", not_fused=True) | DOCUMENTS
    assert json.loads(result.out) == json.loads(held["report.json"])
    given, released = read_state_dict(source), read_state_dict(out / "mine_4x_notfused.pth")
    assert all(torch.equal(released[key], given[key]) for key in given)


@pytest.mark.release
@pytest.mark.parametrize("form", ["fused file", "network in memory"])
def test_what_is_not_read_from_a_not_fused_file_has_no_not_fused_copy(
    form: str, tmp_path: Path, images: Path
) -> None:
    read = form == "fused file"
    source = save_small(tmp_path, fused=read, suffix=".safetensors" if read else ".pth")
    given = source if read else load_model(source).model
    make_release(given, tmp_path / "out", name="mine", images=images, engine=False)
    assert contents(tmp_path / "out").keys() == _models("mine_2x", not_fused=False) | DOCUMENTS


def _models(stem: str, *, not_fused: bool) -> set[str]:
    forms = [*(f"{form}.onnx" for form in ONNX), "fused.pth", "fused.safetensors"]
    return {f"{stem}_{form}" for form in [*forms, *(["notfused.pth"] if not_fused else [])]}


@pytest.mark.release
def test_a_release_is_kept_unless_it_is_to_be_replaced(
    release: Path, tmp_path: Path, images: Path, aethernet: Callable[..., Result]
) -> None:
    source, out = save_small(tmp_path), tmp_path / "out"
    shutil.copytree(release, out)
    command = ["release", source, "-o", out, "--images", images, "--no-engine"]
    refused = aethernet(*command)
    assert (refused.code, refused.out) == (1, "")
    assert "out exists and is kept" in refused.err
    assert "--force" in refused.err
    assert contents(out) == contents(release)
    assert aethernet(*command, "--name", "b", "--force").code == 0
    assert contents(out).keys() == _models("b_2x", not_fused=True) | DOCUMENTS


def test_a_folder_with_other_files_is_never_replaced(
    release: Path, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    source, out = save_small(tmp_path), tmp_path / "out"
    shutil.copytree(release, out)
    (out / "diary.txt").write_text("precious")
    before = contents(out)
    refused = aethernet("release", source, "-o", out, "--force", "--no-engine")
    assert refused.code == 1
    assert "out holds other files" in refused.err
    assert contents(out) == before


@pytest.mark.parametrize(
    ("at", "failure"),
    [
        ("fusing", KeyboardInterrupt()),
        ("fp16: exporting", MemoryError()),
        pytest.param("comparing", KeyboardInterrupt(), marks=pytest.mark.release),
    ],
)
def test_whatever_ends_it_nothing_is_left(
    at: str, failure: BaseException, tmp_path: Path, images: Path
) -> None:
    source = save_small(tmp_path)
    before = sorted(tmp_path.rglob("*"))

    class Ends(Silent):
        def begin(self, step: str, total: int, *, within: str | None = None) -> None:  # noqa: ARG002
            if step == at:
                raise failure

    with pytest.raises(type(failure)):
        make_release(source, tmp_path / "deep" / "out", images=images, engine=False, progress=Ends())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.release
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal on POSIX")
def test_ctrl_c_leaves_nothing(tmp_path: Path, images: Path) -> None:
    out = tmp_path / "made"
    out.mkdir()
    process = start("release", save_small(tmp_path), "-o", out / "release", "--images", images)
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
        (["mine.pth", "--name", "a/b"], "'a/b' cannot be the name of files"),
        (["mine.pth", "--name", ""], "'' cannot be the name of files"),
        (["mine.pth", "--images", "empty"], "empty is a folder without images"),
        (["mine.pth", "--images", "nowhere"], "nowhere is not there"),
        (["mine.pth", "--calibrate", "empty"], "empty holds no images to calibrate on"),
        (["mine.pth", "-o", "mine.pth"], "mine.pth is not a folder"),
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
    save_small(tmp_path)
    Path("notes.pth").write_text("not a model")
    Path("empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    result = aethernet("release", "-o", "out", *arguments)
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("other", ["triton/diary.txt", "triton/aether_tiny_2x_fp16/2/model.onnx", "empty/"])
def test_what_lies_in_folders_below_is_looked_at_too(other: str, release: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(release, out)
    assert holds_nothing_else(out)
    added = out / other
    (added if other.endswith("/") else added.parent).mkdir(exist_ok=True)
    if not other.endswith("/"):
        added.write_text("precious")
    assert not holds_nothing_else(out)


@pytest.mark.skipif(sys.platform == "win32", reason="not every user may make links")
def test_a_link_to_a_folder_is_another_file(release: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(release, out)
    (out / "link").symlink_to(out / "triton", target_is_directory=True)
    assert not holds_nothing_else(out)


def test_no_repeats_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="repeats is 0: expected 1 or more"):
        make_release(tmp_path / "gone.pth", tmp_path / "out", repeats=0)
    assert list(tmp_path.iterdir()) == []
