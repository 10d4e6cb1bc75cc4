"""What is opened, how much of it, and what JSON may hold."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from spandrel_aethernet.errors import ArgumentError, ImageError
from spandrel_aethernet.gate.documents import parse_json
from spandrel_aethernet.gate.files import read_file
from spandrel_aethernet.gate.limits import FILE_BYTES, LIMITS

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def test_a_file_or_a_part_of_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert read_file(path, ImageError) == b"0123456789"
    assert read_file(path, ImageError, offset=3, length=4) == b"3456"
    assert read_file(path, ImageError, offset=8, length=4) == b"89"
    assert read_file(path, ImageError, offset=2**62) == b""


@POSIX
def test_a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ImageError, match=f"^{path} is no regular file"):
            read_file(path, ImageError)


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", Path(f"{tmp_path}/a\0b")):
        with pytest.raises(ImageError, match="cannot be"):
            read_file(path, ImageError)


def test_a_limit_is_raised_by_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(11))
    monkeypatch.setenv(FILE_BYTES.variable, "10")
    with pytest.raises(ImageError, match=f"has 11 bytes, more than the 10 .* set {FILE_BYTES.variable}"):
        read_file(path, ImageError)
    monkeypatch.setenv(FILE_BYTES.variable, "11")
    assert len(read_file(path, ImageError)) == 11


@pytest.mark.parametrize("text", ["", "-1", "1e9", "9" * 30, "²"])
def test_a_limit_that_is_no_number_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILE_BYTES.variable, text)
    with pytest.raises(ArgumentError, match=f"^{FILE_BYTES.variable} is .*: expected a whole number"):
        _ = FILE_BYTES.value


def test_limits_have_names_of_their_own() -> None:
    assert (
        len({limit.variable for limit in LIMITS}) == len({limit.meaning for limit in LIMITS}) == len(LIMITS)
    )


def test_json_is_read() -> None:
    assert parse_json('{"a": [1, 2.5, null, "x"]}') == {"a": [1, 2.5, None, "x"]}


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[Infinity]", "1e999", "9" * 5000, "[" * 100_000, '{"a":' * 100_000, b"\xff\xfe\x00"],
    ids=lambda text: repr(text[:8]),
)
def test_odd_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)
