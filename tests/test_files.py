"""Files appear whole or not at all."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from spandrel_aethernet.errors import OutputError
from spandrel_aethernet.files import check_target, replacing, replacing_folder, sha256


def test_the_name_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"
    with replacing(target) as partial:
        partial.write_bytes(b"whole")
        assert not target.exists()
        assert partial.parent == target.parent
        assert partial.suffix == ".bin"
    assert target.read_bytes() == b"whole"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("failure", [ValueError("x"), KeyboardInterrupt()])
def test_whatever_ends_the_block_nothing_is_left(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")

    def write_half() -> None:
        with replacing(target, force=True) as partial:
            partial.write_bytes(b"half")
            raise failure

    with pytest.raises(type(failure)):
        write_half()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_another_process_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"

    def write_late() -> None:
        with replacing(target) as partial:
            partial.write_bytes(b"late")
            target.write_bytes(b"first")

    with pytest.raises(OutputError, match=r"file\.bin exists and is kept"):
        write_late()
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_another_process_made_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "folder"

    def write_late() -> None:
        with replacing_folder(target, ours=lambda _: True) as partial:
            (partial / "late").touch()
            target.mkdir()
            (target / "first").touch()

    with pytest.raises(OutputError, match="folder exists and is kept"):
        write_late()
    assert list(target.iterdir()) == [target / "first"]
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_of_the_system_becomes_one_sentence(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    with pytest.raises(OutputError, match=r"file\.bin cannot be written: No space"), replacing(target):
        raise OSError(28, "No space left on device")


def test_a_name_as_long_as_the_system_allows(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".bin")
    with replacing(target) as partial:
        partial.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    with (
        pytest.raises(OutputError, match="cannot be written: File name too long"),
        replacing(tmp_path / ("n" * 300)),
    ):
        pass


def test_folders_made_for_nothing_go_again(tmp_path: Path) -> None:
    with pytest.raises(OutputError), replacing(tmp_path / "new" / "deep" / "file.bin"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_found_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written: .*file is not a folder"):
        check_target(tmp_path / "file" / "new" / "out.bin", force=True)


def test_the_folder_one_is_in_is_no_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(OutputError, match="is the folder this runs in: give the name of a new one"),
        replacing_folder(Path(), ours=lambda _: True),
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_to_an_empty_folder_stays(tmp_path: Path) -> None:
    link = tmp_path / "link"
    (tmp_path / "empty").mkdir()
    link.symlink_to(tmp_path / "empty")
    with replacing_folder(link, ours=lambda _: True) as partial:
        (partial / "file").touch()
    assert link.is_symlink()
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["file"]


def test_the_sha256_of_a_file_longer_than_one_block(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
