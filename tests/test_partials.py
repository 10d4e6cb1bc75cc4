"""What killed runs leave is told from what living ones write."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spandrel_aethernet import partials
from spandrel_aethernet.errors import OutputError
from spandrel_aethernet.files import replacing, replacing_folder
from spandrel_aethernet.partials import is_partial, partial_path, remove_abandoned

DIES = """
import os, sys
from pathlib import Path
from spandrel_aethernet.files import replacing, replacing_folder
target = Path(sys.argv[1])
with replacing(target, force=True) as partial:
    partial.write_bytes(b"half")
    with replacing_folder(target.with_name("folder"), force=True, ours=lambda _: True) as folder:
        (folder / "inner").mkdir()
        with replacing(folder / "inner" / "file.bin") as inner:
            inner.write_bytes(b"half")
            print("writing", flush=True)
            sys.stdin.read() if len(sys.argv) > 2 else os._exit(9)
"""


def die(target: Path) -> None:
    """Let a process write halfway, and end without a chance to clean up."""
    ended = subprocess.run([sys.executable, "-c", DIES, target], stdout=subprocess.DEVNULL, check=False)
    assert ended.returncode == 9


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def ours(_: Path) -> bool:
    return True


def test_a_name_tells_target_host_and_process_and_ends_as_asked(tmp_path: Path) -> None:
    one, other = (partial_path(tmp_path / name, ".png") for name in ("one.png", "n" * 251 + ".png"))
    assert one.suffix == ".png"
    assert one.parent == tmp_path
    assert f"-{os.getpid()}-" in one.name
    assert one.name.split("-")[1] != other.name.split("-")[1]
    assert len(other.name) < 60
    assert is_partial(one)
    assert not is_partial(tmp_path / ".aether-x.png")


def test_the_next_run_removes_what_a_dead_one_left_of_the_same_target_only(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    die(target)
    left = names(tmp_path)
    assert len(left) == 2
    with replacing(tmp_path / "another.bin") as partial:
        partial.write_bytes(b"whole")
    assert names(tmp_path) == left | {"another.bin"}
    with replacing(target) as partial:
        partial.write_bytes(b"whole")
    left = {name for name in left if not name.endswith(".bin")}
    assert names(tmp_path) == left | {"another.bin", "file.bin"}
    with replacing_folder(tmp_path / "folder", ours=ours) as folder:
        (folder / "file").touch()
    assert names(tmp_path) == {"another.bin", "file.bin", "folder"}


def test_what_a_living_process_writes_is_never_touched(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    with subprocess.Popen(
        [sys.executable, "-c", DIES, target, "waits"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as living:
        assert living.stdout is not None
        assert living.stdin is not None
        living.stdout.readline()
        writing = names(tmp_path)
        with replacing(target) as partial:
            partial.write_bytes(b"whole")
        with replacing_folder(tmp_path / "folder", ours=ours):
            pass
        assert names(tmp_path) == writing | {"file.bin", "folder"}
        living.kill()
        living.wait()


def test_another_thread_of_this_process_writes_the_same_target(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    with replacing(target, force=True) as partial:
        partial.write_bytes(b"first")

        def write() -> None:
            with replacing(target, force=True) as second:
                second.write_bytes(b"second")

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert target.read_bytes() == b"second"
    assert target.read_bytes() == b"first"
    assert names(tmp_path) == {"file.bin"}


def test_what_lies_on_another_host_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file.bin"
    die(target)
    left = names(tmp_path)
    monkeypatch.setattr(partials.platform, "node", lambda: "another host")
    partials._host.cache_clear()  # pyright: ignore[reportPrivateUsage]
    try:
        remove_abandoned(target)
    finally:
        partials._host.cache_clear()  # pyright: ignore[reportPrivateUsage]
    assert names(tmp_path) == left


def test_a_folder_that_lost_its_name_to_a_killed_run_gets_it_again(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    die(tmp_path / "file.bin")
    dead = next(path for path in tmp_path.iterdir() if path.is_dir())
    (old := dead.with_name(f"{dead.name[:-1]}0.old")).mkdir()
    (old / "precious").touch()
    with pytest.raises(OutputError, match="exists and is kept"), replacing_folder(folder, ours=ours):
        pass
    assert names(folder) == {"precious"}
    with replacing_folder(folder, force=True, ours=ours) as partial:
        (partial / "new").touch()
    assert names(folder) == {"new"}
    assert {path.suffix for path in tmp_path.iterdir() if is_partial(path)} == {".bin"}


def test_a_failed_exchange_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "precious").touch()
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path != folder and target == folder and not path.name.endswith(".old"):
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(KeyboardInterrupt), replacing_folder(folder, force=True, ours=ours):
        pass
    assert names(tmp_path) == {"folder"}
    assert names(folder) == {"precious"}


def test_an_old_folder_that_gets_its_name_back_from_nobody_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where another program may hold what is to be renamed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "precious").touch()
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if target == folder:
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with (
        pytest.raises(OutputError, match="folder cannot be written: Permission denied"),
        replacing_folder(folder, force=True, ours=ours),
    ):
        pass
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".old"
    assert names(left) == {"precious"}


def test_a_folder_that_vanishes_while_it_is_made_is_not_made_again(tmp_path: Path) -> None:
    target = tmp_path / "gone" / "folder"

    def write() -> None:
        with replacing_folder(target, ours=ours) as partial:
            (partial / "first").touch()
            partials.remove(target.parent)
            with replacing(partial / "second") as second:
                second.touch()

    with pytest.raises(OutputError, match=r"folder cannot be written: \.aether-\S+, in which .* is gone"):
        write()
    assert names(tmp_path) == set()
