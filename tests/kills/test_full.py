"""Disks that fill, folders that vanish or take nothing, streams that end: one sentence, and no file lost."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from .commands import COMMANDS, Command, Files, files_of
from .server import CLOSED_PIPE, Ended, Server

pytest.importorskip("tensorrt_rtx")

FAST = ("engine (ONNX)",)
SMALL = 4096
"""Bytes: less than any of the files that the commands write."""
BY_NAME = {command.name: command for command in COMMANDS}
EACH = pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, id=command.name, marks=() if command.name in FAST else pytest.mark.release)
        for command in COMMANDS
    ],
)
OLD = b"precious"


def begin(command: Command, folder: Path) -> Files:
    """Write a small old target, which `--force` may replace."""
    target = folder / command.target
    if target.suffix:
        target.write_bytes(OLD)
    else:
        target.mkdir()
        (target / "0.png").write_bytes(OLD)
        if command.name == "release":
            (target / "SHA256SUMS").write_text("0  0.png\n")
    return files_of(target)


def arguments(command: Command, sources: Path, folder: Path) -> list[object]:
    return [*command.arguments(sources, folder / command.target), "--force"]


def check_failed(ended: Ended, command: Command, folder: Path, old: Files) -> None:
    """Check that a command failed with a sentence, and left what was there and nothing else."""
    assert ended.code == 1, ended.said
    lines = ended.said.splitlines()
    if command.by_file:
        assert lines[-1] == "0 of 3 written, 3 failed"
        lines = [line for line in lines if line.startswith("failed: ")]
    else:
        assert len(lines) == 1
        assert lines[0].startswith("aethernet: ")
    assert all("cannot be written: " in line for line in lines), lines
    assert files_of(folder / command.target) == old
    assert [path.name for path in folder.iterdir()] == [command.target]
    assert ended.orphans == 0


@EACH
def test_a_file_that_grows_too_large(command: Command, server: Server, sources: Path, tmp_path: Path) -> None:
    server.preload(command.modules)
    old = begin(command, tmp_path)
    limit = 512 if command.by_file else SMALL
    ended = server.run(arguments(command, sources, tmp_path), file_size=limit)
    check_failed(ended, command, tmp_path, old)
    assert "File too large" in ended.said


@pytest.fixture
def mount(tmp_path: Path) -> Generator[Callable[..., None]]:
    """Mount a file system of its own over the folder `disk`, or change how it is mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def call(options: str) -> None:
        command = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this user may mount nothing")

    yield call
    subprocess.run([shutil.which("umount") or "umount", "-l", str(disk)], capture_output=True, check=False)


@EACH
def test_a_disk_that_fills(
    command: Command, server: Server, sources: Path, tmp_path: Path, mount: Callable[..., None]
) -> None:
    server.preload(command.modules)
    disk = tmp_path / "disk"
    mount("size=16k")
    old = begin(command, disk)
    if command.by_file:  # all pages but one, which the old picture takes
        (disk / command.target / "filling").write_bytes(bytes(3 * 4096))
        old = files_of(disk / command.target)
    ended = server.run(arguments(command, sources, disk))
    check_failed(ended, command, disk, old)
    assert "No space left on device" in ended.said


@EACH
def test_a_folder_that_takes_nothing(
    command: Command, server: Server, sources: Path, tmp_path: Path, mount: Callable[..., None]
) -> None:
    server.preload(command.modules)
    disk = tmp_path / "disk"
    mount("size=1m")
    old = begin(command, disk)
    mount("remount,ro")
    check_failed(server.run(arguments(command, sources, disk)), command, disk, old)


@pytest.mark.parametrize(
    "name", ["engine (ONNX)", *(pytest.param(name, marks=pytest.mark.release) for name in ("release",))]
)
def test_a_folder_that_vanishes(name: str, server: Server, sources: Path, tmp_path: Path) -> None:
    command = BY_NAME[name]
    server.preload(command.modules)
    folder, ended = tmp_path / "gone", list[Ended]()
    call = threading.Thread(
        target=lambda: ended.append(server.run(arguments(command, sources, folder))), daemon=True
    )
    call.start()
    # `release` makes its folder in it, `engine` makes it before it builds.
    while call.is_alive() and not (folder.exists() and (name != "release" or any(folder.iterdir()))):
        time.sleep(0.001)
    while call.is_alive():
        shutil.rmtree(folder, ignore_errors=True)
    call.join()
    assert ended[0].code == 1, ended[0].said
    assert ended[0].said.startswith(f"aethernet: {folder / command.target}")
    assert " cannot be written: " in ended[0].said
    assert ended[0].said.count("\n") == 1
    assert [*tmp_path.iterdir()] == []


@EACH
@pytest.mark.parametrize(
    ("stdout", "code", "said"),
    [
        ("/dev/full", 1, "aethernet: stdout cannot be written: No space left on device\n"),
        (CLOSED_PIPE, 141, ""),
    ],
)
def test_a_stream_that_ends(
    command: Command, stdout: str, code: int, said: str, server: Server, sources: Path, tmp_path: Path
) -> None:
    """What is printed at the end is lost, what was written before is whole."""
    server.preload(command.modules)
    target = tmp_path / command.target
    ended = server.run(arguments(command, sources, tmp_path), stdout=stdout)
    if command.by_file:  # it prints to stderr alone
        assert ended.code == 0
        assert all(command.whole(path) for path in target.iterdir())
    else:
        assert ended.code == code
        assert said in ended.said
        assert "Traceback" not in ended.said
        assert command.whole(target)
    assert {path.name for path in tmp_path.iterdir()} <= {command.target, f"{command.target}.json"}
