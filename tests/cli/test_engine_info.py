"""`aethernet info` of engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spandrel_aethernet.engines.runtime import find_runtime
from spandrel_aethernet.engines.sidecar import sidecar_path

from ..conftest import Result

pytest.importorskip("tensorrt_rtx")


def test_info_without_a_description_tells_what_the_bytes_tell(
    folder: Path, aethernet: Callable[..., Result]
) -> None:
    aethernet("engine", "small.onnx", "-o", "out.engine", "--target", "8.6")
    sidecar_path(folder / "out.engine").unlink()
    result = aethernet("info", "out.engine")
    assert result.code == 0
    assert f"TensorRT for RTX {find_runtime('rtx').version}" in result.out
    assert "is not known: there is no out.engine.json beside it" in result.out
    (folder / "out.engine").rename(folder / "out.plan")
    assert "there is no out.plan.json beside it" in aethernet("info", "out.plan").out
    (folder / "other.engine").write_bytes(b"other" * 20)
    unknown = aethernet("info", "other.engine", "--json")
    assert json.loads(unknown.out) == {
        "file": "other.engine",
        "size": 100,
        "described": False,
        "flavour": None,
        "version": None,
        "problem": None,
    }
    assert "unknown: no engine of a kind known here" in aethernet("info", "other.engine").out
    short = aethernet("info", "kept.engine")
    assert (short.code, short.out) == (1, "")
    assert "kept.engine is no engine: it has 4 bytes only" in short.err


def test_info_refuses_an_engine_that_was_changed(folder: Path, aethernet: Callable[..., Result]) -> None:
    aethernet("engine", "small.onnx", "-o", "out.engine", "--target", "8.6")
    content = bytearray((folder / "out.engine").read_bytes())
    content[5000] ^= 1
    (folder / "out.engine").write_bytes(content)
    for options in ([], ["--json"]):
        result = aethernet("info", "out.engine", *options)
        assert (result.code, result.out) == (1, "")
        assert "out.engine is not the engine that out.engine.json describes" in result.err
    (folder / "out.engine").write_bytes(content[:-1])
    assert "out.engine is truncated: it has " in aethernet("info", "out.engine").err


def test_info_tells_of_an_engine_that_another_version_built(
    folder: Path, aethernet: Callable[..., Result]
) -> None:
    aethernet("engine", "small.onnx", "-o", "out.engine", "--target", "8.6")
    content = bytearray((folder / "out.engine").read_bytes())
    content[24:28] = 1, 2, 0, 54
    (folder / "out.engine").write_bytes(content)
    sidecar_path(folder / "out.engine").unlink()
    result = aethernet("info", "out.engine")
    assert result.code == 0
    assert "TensorRT for RTX 1.2.0.54 built it and " in result.out
    assert "pip install tensorrt-rtx-cu13==1.2.0.54" in result.out
