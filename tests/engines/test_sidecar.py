"""What lies beside an engine, and what its own bytes tell."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spandrel_aethernet.engines.header import Header, read_header
from spandrel_aethernet.engines.sidecar import (
    EngineInfo,
    describe,
    document,
    read_sidecar,
    sidecar_path,
)
from spandrel_aethernet.errors import EngineError
from spandrel_aethernet.files import sha256
from spandrel_aethernet.precision import Precision
from spandrel_aethernet.shapes import Profile, Range


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "small.engine"
    path.write_bytes(b"bytes of an engine")
    return path


@pytest.fixture
def info(engine: Path) -> EngineInfo:
    return EngineInfo(
        engine_sha256=sha256(engine),
        source="small.onnx",
        source_sha256="0" * 64,
        runtime="tensorrt",
        version="10.13.0.35",
        targets=("8.6",),
        profile=Profile(Range(1, 2, 3), Range(4, 5, 6), Range(7, 8, 9)),
        input_name="input",
        output_name="output",
        precision=Precision("fp16", int8=True),
        scale=2,
        channels=3,
        operators={"int8": 49, "fp16": 4},
        layers={"int8": 49, "fp16": 70},
        fell_back=(),
        build_seconds=1.5,
        package_version="0.1.0",
    )


def test_what_is_written_is_read(engine: Path, info: EngineInfo) -> None:
    assert read_sidecar(engine) is None
    for given in (info, replace(info, scale=None, layers=None, fell_back=("conv",), runtime="rtx")):
        sidecar_path(engine).write_text(document(given))
        assert read_sidecar(engine) == given
    written = json.loads(sidecar_path(engine).read_text())
    assert written["profile"] == {"batch": "1:2:3", "height": "4:5:6", "width": "7:8:9"}
    assert written == json.loads(json.dumps(describe(given)))


def test_keys_stay_as_they_were_published_after_a_format_number(info: EngineInfo) -> None:
    keys = list(json.loads(document(info)))
    assert keys[:5] == ["format", "engine_sha256", "source", "source_sha256", "flavour"]
    assert describe(info)["format"] == 1
    assert describe(info)["precision"] == "fp16-int8"


@pytest.mark.parametrize("precision", ["fp32", "fp32-int8", "bf16", "bf16-int8"])
def test_every_precision_is_read(precision: str, engine: Path, info: EngineInfo) -> None:
    sidecar_path(engine).write_text(json.dumps({**describe(info), "precision": precision}))
    read = read_sidecar(engine)
    assert read is not None
    assert str(read.precision) == precision


def test_engine_of_other_bytes_is_refused(engine: Path, info: EngineInfo) -> None:
    sidecar_path(engine).write_text(document(info))
    engine.write_bytes(b"bytes of an enginf")
    with pytest.raises(EngineError, match=r"is not the engine that small\.engine\.json describes"):
        read_sidecar(engine)
    engine.unlink()
    with pytest.raises(EngineError, match=r"small\.engine cannot be read: "):
        read_sidecar(engine)


def test_the_bytes_given_are_those_that_are_compared(engine: Path, info: EngineInfo) -> None:
    sidecar_path(engine).write_text(document(info))
    content = engine.read_bytes()
    with pytest.raises(EngineError, match="is not the engine that"):
        read_sidecar(engine, content + b"more")
    engine.write_bytes(b"changed meanwhile")
    assert read_sidecar(engine, content) == info


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_in_place_of_a_description_or_an_engine_is_refused(engine: Path, info: EngineInfo) -> None:
    os.mkfifo(sidecar_path(engine))
    with pytest.raises(EngineError, match=r"small\.engine\.json is no regular file"):
        read_sidecar(engine)
    sidecar_path(engine).unlink()
    sidecar_path(engine).write_text(document(info))
    engine.unlink()
    os.mkfifo(engine)
    for read in (read_sidecar, read_header):
        with pytest.raises(EngineError, match=r"small\.engine is no regular file"):
            read(engine)


def put(key: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda description: description.update({key: value})


@pytest.mark.parametrize(
    "damage",
    [
        put("build_seconds", "1"),
        put("build_seconds", None),
        put("build_seconds", float("inf")),
        put("package_version", 1),
        put("fell_back", [1]),
        put("targets", "8.6"),
        put("targets", None),
        put("profile", {"batch": "3:2:1", "height": "1", "width": "1"}),
        put("profile", None),
        put("flavour", "other"),
        put("channels", "3"),
        put("operators", [1]),
        put("layers", {"int8": "many"}),
        put("scale", "2x"),
        put("targets", [8.6]),
        put("precision", "fp12"),
        put("precision", "fp16-int4"),
        put("precision", None),
        put("channels", True),
        put("channels", 0),
        put("channels", 2**31),
        put("scale", 0),
        put("scale", False),
        put("operators", {"int8": -1}),
        put("operators", {"int8": 1.5}),
        put("operators", None),
        put("build_seconds", -1),
        put("build_seconds", True),
        put("build_seconds", 10**400),
        put("source", "half of a character \ud800"),
        put("source", ["small.onnx"]),
        put("input_name", None),
        put("flavour", ["rtx"]),
        put("profile", {"batch": "1", "height": "1:2:99999999999", "width": "1"}),
        put("profile", {"batch": 1, "height": "1", "width": "1"}),
        put("profile", ["1", "1", "1"]),
    ],
)
def test_damaged_description_is_said(
    damage: Callable[[dict[str, Any]], object], engine: Path, info: EngineInfo
) -> None:
    description = describe(info)
    damage(description)
    sidecar_path(engine).write_text(json.dumps(description))
    with pytest.raises(EngineError, match=r"small\.engine\.json is damaged: build the engine again"):
        read_sidecar(engine)


@pytest.mark.parametrize("key", ["scale", "flavour", "height"])
def test_missing_key_is_named(key: str, engine: Path, info: EngineInfo) -> None:
    description = describe(info)
    del (description["profile"] if key == "height" else description)[key]
    sidecar_path(engine).write_text(json.dumps(description))
    with pytest.raises(EngineError, match=rf"json is damaged, it has no '{key}': build the engine again"):
        read_sidecar(engine)


def test_description_without_a_format_number_is_read(engine: Path, info: EngineInfo) -> None:
    sidecar_path(engine).write_text(json.dumps({k: v for k, v in describe(info).items() if k != "format"}))
    assert read_sidecar(engine) == info


def test_what_a_newer_version_may_add_is_passed_over(engine: Path, info: EngineInfo) -> None:
    description: dict[str, Any] = {**describe(info), "format": 2, "more": 1}
    description["profile"]["depth"] = "1"
    sidecar_path(engine).write_text(json.dumps(description))
    assert read_sidecar(engine) == info


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"scale": NaN}',
        b'{"scale": 1e999}',
        b'"text"',
    ],
)
def test_description_that_is_none_is_said(content: bytes, engine: Path) -> None:
    sidecar_path(engine).write_bytes(content)
    with pytest.raises(EngineError, match=r"small\.engine\.json (is damaged|cannot be read)"):
        read_sidecar(engine)


def test_header_tells_runtime_and_version(tmp_path: Path) -> None:
    path = tmp_path / "a.engine"
    version = (10, 13, 0, 35)
    path.write_bytes(struct.pack("<4sI8xQ4B", b"ftrt", 0, 0, *version) + b"rest")
    assert read_header(path) == Header("tensorrt", "10.13.0.35")
    path.write_bytes(struct.pack("<4sI8xQ4B", b"vtrt", 0, 32, *version) + b"rest")
    assert read_header(path) == Header("rtx", "10.13.0.35")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EngineError, match="is truncated: it has 31 bytes of 32"):
        read_header(path)
    for content in (b"", b"vtrt"):
        path.write_bytes(content)
        with pytest.raises(EngineError, match=f"is no engine: it has {len(content)} bytes only"):
            read_header(path)
    for content in (b"text" * 20, struct.pack("<4sI8xQ4B", b"ftrt", 1, 0, *version)):
        path.write_bytes(content)
        assert read_header(path) is None
    with pytest.raises(EngineError, match="cannot be read: "):
        read_header(tmp_path)
