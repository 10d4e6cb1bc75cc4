"""`aethernet upscale`: files, folders, failures, cancelling."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from spandrel_aethernet.data import half_size
from spandrel_aethernet.images.files import FORMATS, Picture, read_picture, write_picture

from ..conftest import Result, limit_file_size, start
from ..images.pictures import (
    ICC,
    KINDS,
    PILLOW_READS,
    opened,
    photograph,
    save,
    upright,
    with_metadata,
)


@pytest.mark.parametrize("kind", KINDS)
def test_depth_and_channels_are_kept(
    kind: str, tmp_path: Path, small_model: Path, aethernet: Callable[..., Result]
) -> None:
    source, out = save(tmp_path / "in.png", kind), tmp_path / "out.png"
    result = aethernet("upscale", source, "-o", out, "-m", small_model)
    assert result.code == 0, result.err
    assert result.out == ""
    before, after = read_picture(source).pixels, read_picture(out).pixels
    assert after.dtype == before.dtype
    assert after.shape == (2 * before.shape[0], 2 * before.shape[1], before.shape[2])


def test_orientation_and_profile_are_kept(
    tmp_path: Path, small_model: Path, aethernet: Callable[..., Result]
) -> None:
    source = tmp_path / "in.jpg"
    write_picture(with_metadata(photograph(20, 30)), source)
    for name in PILLOW_READS:
        out = tmp_path / f"out.{name}"
        assert aethernet("upscale", source, "-o", out, "-m", small_model).code == 0
        assert opened(out).info["icc_profile"] == ICC
        assert upright(out).size == (40, 60), f"{name} is shown upright, as the source is"


def test_result_is_that_of_the_network(tmp_path: Path, aethernet: Callable[..., Result]) -> None:
    import spandrel

    from spandrel_aethernet.data import DEMO_MODEL

    source, out = tmp_path / "in.png", tmp_path / "out.png"
    pixels = read_picture(half_size("chelsea")).pixels.astype(np.uint8)[60:180, 40:180]
    write_picture(Picture(pixels), source)
    assert aethernet("upscale", source, "-o", out, "--tile", 96, "--dtype", "float32").code == 0
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    descriptor = spandrel.ModelLoader().load_from_file(DEMO_MODEL)
    assert isinstance(descriptor, spandrel.ImageModelDescriptor)
    expected = descriptor(tensor)[0].permute(1, 2, 0) * 255
    written = torch.from_numpy(read_picture(out).pixels.astype(np.float32))
    assert float((written - expected).abs().max()) < 0.6


def test_folders_keep_their_tree_and_a_failure_does_not_stop_the_rest(
    tmp_path: Path, small_model: Path, aethernet: Callable[..., Result]
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    save(photos / "a.png")
    save(photos / "deep" / "b.tif", "grey16")
    (photos / "broken.jpg").write_bytes(b"no picture")
    (photos / "notes.txt").write_text("left alone")
    single = save(tmp_path / "c.webp")
    result = aethernet("upscale", photos, single, tmp_path / "gone.png", "-o", out, "-m", small_model)
    assert result.code == 1
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert written == ["a.png", "c.png", "deep/b.png"]
    failures = [line for line in result.err.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 2
    assert "broken.jpg cannot be read as an image" in failures[0]
    assert "gone.png cannot be read: No such file" in failures[1]
    assert "3 of 5 written" in result.err


def test_second_run_keeps_what_is_there(
    tmp_path: Path, small_model: Path, aethernet: Callable[..., Result]
) -> None:
    photos = tmp_path / "photos"
    save(photos / "a.png")
    command = ("upscale", photos, "-o", photos / "larger", "-m", small_model, "--format", "webp")
    assert aethernet(*command).code == 0
    written = photos / "larger" / "a.webp"
    before = written.stat().st_mtime_ns
    again = aethernet("upscale", os.path.relpath(photos), *command[2:])
    assert again.code == 0, again.err
    assert "0 of 1 written, 1 skipped (already there)\n" in again.err, "what is in the folder is no input"
    assert aethernet(*command, "--if-newer").err.endswith("1 skipped (already there)\n")
    assert written.stat().st_mtime_ns == before
    os.utime(photos / "a.png", ns=(before + 10**9, before + 10**9))
    assert "1 of 1 written\n" in aethernet(*command, "--if-newer").err
    assert "1 of 1 written\n" in aethernet(*command, "--force").err
    named = aethernet("upscale", photos / "a.png", "-o", written, "-m", small_model)
    assert named.code == 1
    assert "a.webp exists and is kept: choose another name, or replace it with --force" in named.err


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        (["--width", 33], (33, 25)),
        (["--height", 200], (267, 200)),
        (["--width", 100, "--height", 31], (100, 31)),
        (["--scale", 1.5], (96, 72)),
    ],
)
def test_sizes_are_exact(
    arguments: list[object],
    size: tuple[int, int],
    tmp_path: Path,
    small_model: Path,
    aethernet: Callable[..., Result],
) -> None:
    write_picture(Picture(photograph(48, 64)), tmp_path / "a.png")
    command = ("upscale", tmp_path / "a.png", "-o", tmp_path / "out.png", "-m", small_model)
    result = aethernet(*command, *arguments)
    assert result.code == 0, result.err
    assert read_picture(tmp_path / "out.png").pixels.shape == (*size[::-1], 3)


def test_sizes_that_contradict_are_said_before_any_work(
    tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    result = aethernet("upscale", tmp_path / "gone.png", "-o", tmp_path, "--width", 9, "--scale", 2)
    assert result.code == 1
    assert "a scale and a width or height contradict each other" in result.err


def test_images_that_differ_in_their_suffix_only_are_both_written(
    tmp_path: Path, small_model: Path, aethernet: Callable[..., Result]
) -> None:
    save(tmp_path / "in" / "a.png")
    save(tmp_path / "in" / "a.webp")
    (tmp_path / "in" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    result = aethernet("upscale", tmp_path / "in", "-o", tmp_path / "out", "-m", small_model)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "a.webp.png"]
    assert "gone.png cannot be read" in result.err, "a link to nowhere is an image that failed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos/a.png", "more/a.png", "-o", "out"], "would both become"),
        (["photos/a.png", "-o", "photos/a.png", "--force"], "would replace its own source"),
        (["photos/a.png", "-o", "out.bmp"], "is not named like an image: expected one of png"),
        (["photos/a.png", "-o", "out.png", "--format", "jpg"], "does not go with the format jpg"),
        (["photos/a.png", "-o", "file/out.png"], "cannot be written"),
        (
            ["photos/a.png", "-o", "out.png", "--tile", "64", "--overlap", "32"],
            "leaves nothing between overlaps of 32",
        ),
        (["photos/a.png", "-o", "out.png", "--device", "cuda:99"], "device cuda:99 cannot be used here"),
        (["photos/a.png", "-o", "out.png", "-m", "file"], "file is not named like a checkpoint"),
        (["alpha.png", "-o", "out.jpg"], "jpg cannot hold transparency, choose png or tiff"),
        (["empty", "-o", "out"], "empty is a folder without images"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    small_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    aethernet: Callable[..., Result],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, kind in (("photos/a.png", "rgb8"), ("more/a.png", "rgb8"), ("alpha.png", "rgba8")):
        save(Path(name), kind)
    Path("empty").mkdir()
    Path("file").write_bytes(b"")
    before = {path: path.stat().st_size for path in tmp_path.rglob("*")}
    model = [] if "-m" in arguments else ["-m", small_model]
    result = aethernet("upscale", *arguments, *model)
    assert result.code == 1
    assert message in result.err
    after = {path: path.stat().st_size for path in tmp_path.rglob("*") if path.name != "out"}
    assert after == before


@pytest.mark.parametrize(
    "arguments", [["--tile", "0x10"], ["--overlap", "-1"], ["--format", "bmp"], ["-j", "0:1"], []]
)
def test_wrong_usage_exits_with_2(arguments: list[str], aethernet: Callable[..., Result]) -> None:
    with pytest.raises(SystemExit) as error:
        aethernet("upscale", "in.png", *arguments)
    assert error.value.code == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of a file are POSIX")
def test_a_full_disk_leaves_nothing(tmp_path: Path, small_model: Path) -> None:
    target = tmp_path / "folder" / "out.png"
    process = start("upscale", half_size("astronaut"), "-o", target, "-m", small_model, limit=10_000)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert f"failed: {target} cannot be written: " in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of a file are POSIX")
def test_a_full_disk_leaves_nothing_of_any_format(tmp_path: Path) -> None:
    """Without a network, so that the child needs no PyTorch."""
    code = f"""
from pathlib import Path
from spandrel_aethernet.errors import OutputError
from spandrel_aethernet.images.files import FORMATS, read_picture, write_picture
picture = read_picture(Path({str(half_size("astronaut"))!r}))
for name in FORMATS:
    try:
        write_picture(picture, Path({str(tmp_path)!r}) / "folder" / f"out.{{name}}")
    except OutputError as error:
        print(error)
"""
    child = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=limit_file_size(10_000),
        capture_output=True,
        text=True,
        check=False,
    )
    said = child.stdout.splitlines()
    targets = [Path(line.partition(" cannot be written: ")[0]).name for line in said]
    assert targets == [f"out.{name}" for name in FORMATS], child.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal on POSIX")
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "large.png"
    write_picture(Picture(np.tile(photograph(200, 200), (8, 8, 1))), source)
    out = tmp_path / "out"
    process = start("upscale", source, "-o", out)
    assert process.stderr is not None
    process.stderr.readline()  # the model is loaded
    time.sleep(1)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "aethernet: cancelled" in errors
    assert not out.exists() or list(out.iterdir()) == []
