"""`aethernet cache`: what it prints, and what it removes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.cache import FOLDER_VARIABLE, cached_engine

from ..conftest import Result
from ..engines.networks import upscaler

Command = Callable[..., Result]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one engine, and one that is damaged."""
    pytest.importorskip("tensorrt_rtx")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    kept = cached_engine(upscaler(tmp_path / "small.onnx"), BuildOptions(runtime="rtx", targets=["8.6"]))
    damaged = kept.with_name(f"{'0' * 32}.engine")
    damaged.write_bytes(b"")
    os.utime(damaged, (1e9, 1e9))
    return kept


def test_the_list(engine: Path, aethernet: Command) -> None:
    result = aethernet("cache", "list")
    assert result.code == 0
    head, first, second = (line.split() for line in result.out.splitlines())
    assert head == ["model", "precision", "for", "largest", "size", "built", "used", "file"]
    assert first[:4] == ["small.onnx", "fp32", "8.6", "16x1080x1920"]
    assert first[-1] == engine.name
    assert second[0] == "damaged"
    assert result.err.startswith("2 engines, ")
    assert result.err.endswith(f"in {engine.parent}\n")


def test_the_list_as_json(engine: Path, aethernet: Command) -> None:
    document = json.loads(aethernet("cache", "list", "--json").out)
    assert document["folder"] == str(engine.parent)
    assert [one["file"] for one in document["engines"]] == [
        str(engine),
        str(engine.parent / f"{'0' * 32}.engine"),
    ]
    assert document["engines"][0]["source"] == "small.onnx"
    assert "source" not in document["engines"][1]


def test_an_empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aethernet: Command) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "gone"))
    result = aethernet("cache", "list")
    assert (result.code, result.out) == (0, "")
    assert result.err == f"0 engines, 0.0 MB in {tmp_path / 'gone'}\n"
    assert aethernet("cache", "clear").out == "removed    0 engines, 0.0 MB\n"


def test_clearing(engine: Path, aethernet: Command) -> None:
    unused = json.loads(aethernet("cache", "clear", "--unused", "30", "--json").out)
    assert unused == {"removed": [str(engine.parent / f"{'0' * 32}.engine")], "bytes": 0, "in_use": []}
    assert engine.exists()
    result = aethernet("cache", "clear", "small.onnx")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("removed    1 engines, ")
    assert list(engine.parent.iterdir()) == []


def test_a_name_that_is_not_there(engine: Path, aethernet: Command) -> None:
    result = aethernet("cache", "clear", "other.pth")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"aethernet: no engine of other.pth is kept in {engine.parent}\n"
    assert engine.exists()


@pytest.mark.parametrize("arguments", [[], ["clear", "--unused", "never"], ["clear", "--unused", "-1"]])
def test_wrong_usage(arguments: list[str], aethernet: Command) -> None:
    with pytest.raises(SystemExit) as ended:
        aethernet("cache", *arguments)
    assert ended.value.code == 2
