"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from spandrel_aethernet.atomic import replacing
from spandrel_aethernet.errors import OutputError


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
