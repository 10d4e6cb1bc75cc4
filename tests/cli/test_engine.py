"""`aethernet engine`: what it builds, and what it would build."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shlex import split

import onnx
import pytest

from spandrel_aethernet.engines.runtime import find_runtime
from spandrel_aethernet.files import sha256

from ..conftest import Result
from ..lint.graphs import computed_scale

pytest.importorskip("tensorrt_rtx")


def listed(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_command_builds_and_info_tells(folder: Path, aethernet: Callable[..., Result]) -> None:
    result = aethernet("engine", "int8.onnx", "-o", "new/out.engine", "--target", "RTX 3060", "8.9")
    assert result.code == 0, result.err
    version = find_runtime("rtx").version
    lines = dict(line.split(None, 1) for line in result.out.splitlines())
    assert lines["runtime"] == f"TensorRT for RTX {version}"
    assert lines["targets"] == "8.6 8.9"
    assert lines["precision"] == "fp16-int8"
    assert lines["operators"] == "1 int8 in the ONNX file"
    assert lines["shapes"] == "input 1x3x32x32 1x3x256x256 16x3x1080x1920"
    assert "1 int8" in lines["layers"]
    assert lines["wrote"].startswith("new/out.engine: ")
    assert result.err == (
        "TensorRT warns: Converting conv activation scales to fp32\n"
        "TensorRT warns: Converting conv weight scales to fp32\n"
    )
    told = aethernet("info", "new/out.engine")
    assert told.code == 0
    assert told.err == ""
    rows = dict(line.split(None, 1) for line in told.out.splitlines())
    assert {name: lines[name] for name in lines if name != "wrote"}.items() <= rows.items()
    assert (rows["source"], rows["scale"]) == ("int8.onnx", "2x")
    assert sorted(path.name for path in (folder / "new").iterdir()) == ["out.engine", "out.engine.json"]


def test_json_goes_to_stdout_alone(folder: Path, aethernet: Callable[..., Result]) -> None:
    result = aethernet("engine", "small.onnx", "-o", "out.engine", "--json", "--verbose")
    document = json.loads(result.out)
    assert document["file"] == "out.engine"
    assert document["engine_sha256"] == sha256(folder / "out.engine")
    assert document["source_sha256"] == sha256(folder / "small.onnx")
    assert document["profile"] == {"batch": "1:1:16", "height": "32:256:1080", "width": "32:256:1920"}
    assert document["operators"] == {"fp32": 1}
    assert (document["warnings"], document["notes"], document["fell_back"]) == ({}, [], [])
    assert "verbose: " in result.err
    told = json.loads(aethernet("info", "out.engine", "--json").out)
    assert told["described"] is True
    assert told["problem"] is None
    assert told["size"] == (folder / "out.engine").stat().st_size
    same = document.keys() - {"file", "warnings", "notes", "timing_cache"}
    assert {key: told[key] for key in same} == {key: document[key] for key in same}


def test_dry_run_tells_what_would_be_built(folder: Path, aethernet: Callable[..., Result]) -> None:
    before = listed(folder)
    result = aethernet(
        "engine", "products.onnx", "-o", "out.engine", "--dry-run", "--opt-shapes", "input:2x3x64x96"
    )
    assert result.code == 0, result.err
    lines = dict(line.split(None, 1) for line in result.out.splitlines())
    assert lines["source"] == "products.onnx"
    assert lines["targets"] == "8.0 8.6 8.9 12.0 12.1"
    assert lines["operators"] == "1 fp32"
    assert lines["shapes"] == "1x3x32x32 2x3x64x96 16x3x1080x1920"
    assert "note: not built for 7.5" in result.err
    assert listed(folder) == before


def test_dry_run_tells_every_reason_why_it_would_fail(folder: Path, aethernet: Callable[..., Result]) -> None:
    before = listed(folder)
    options = ["--target", "9.0", "--min-shapes", "input:9x3x999x999", "--dry-run"]
    result = aethernet("engine", "small.onnx", "-o", "kept.engine", *options)
    assert result.code == 1
    reasons = [line for line in result.out.splitlines() if line.startswith("would fail ")]
    assert len(reasons) == 3
    assert "is not in order" in reasons[0]
    assert "does not build for 9.0" in reasons[1]
    assert "kept.engine exists and is kept" in reasons[2]
    document = json.loads(aethernet("engine", "small.onnx", "-o", "kept.engine", *options, "--json").out)
    assert [f"would fail {problem}" for problem in document["problems"]] == reasons
    assert document["scale"] == 2
    assert listed(folder) == before


def test_dry_run_lists_what_the_linter_refuses(tmp_path: Path, aethernet: Callable[..., Result]) -> None:
    source = tmp_path / "computed.onnx"
    onnx.save(computed_scale(), source)
    result = aethernet("engine", source, "-o", tmp_path / "out.engine", "--dry-run")
    assert result.code == 1
    linted = json.loads(aethernet("lint", source, "--json").out)
    assert linted["errors"] > 0
    for finding in linted["findings"]:
        if finding["severity"] == "error":
            expected = f"{finding['rule']} {finding['node']}: {finding['message']}; {finding['remedy']}"
            assert f"would fail computed.onnx is refused: {expected}" in result.out


@pytest.mark.slow
def test_trtexec_command_is_the_published_one(folder: Path, aethernet: Callable[..., Result]) -> None:
    shapes = "--minShapes=input:1x3x32x32 --optShapes=input:1x3x256x256 --maxShapes=input:16x3x1080x1920"
    end = "--buildOnly --verbose\n"
    command = ("engine", "small.pth", "-o", "out.engine", "--print-trtexec")
    result = aethernet(*command, "--precision", "fp32-int8")
    assert result.code == 0
    name = "small_fp32_int8.onnx"
    assert result.out == f"trtexec --onnx={name} --saveEngine=out.engine --int8 {shapes} {end}"
    assert (
        f"first: aethernet export small.pth -o {name} --precision fp32-int8 --preset tensorrt" in result.err
    )
    assert "--skipInference for --buildOnly, from 11 on leave --int8 out" in result.err
    plain = aethernet("engine", "small.onnx", "-o", "out.engine", "--print-trtexec")
    assert plain.out == f"trtexec --onnx=small.onnx --saveEngine=out.engine {shapes} {end}"
    assert plain.err == "trtexec: from TensorRT 10 on write --skipInference for --buildOnly\n"
    half = aethernet("engine", "int8.onnx", "-o", "out.engine", "--print-trtexec")
    assert half.out == f"trtexec --onnx=int8.onnx --saveEngine=out.engine --stronglyTyped {shapes} {end}"
    fixed = aethernet("engine", "fixed.onnx", "-o", "out.engine", "--print-trtexec")
    assert fixed.out == f"trtexec --onnx=fixed.onnx --saveEngine=out.engine {end}"
    given = ("--workspace", 2048, "--optimization-level", 0, "--timing-cache", "timings.bin")
    more = aethernet("engine", "fixed.onnx", "-o", "out.engine", "--print-trtexec", *given)
    options = "--memPoolSize=workspace:2048 --builderOptimizationLevel=0 --timingCacheFile=timings.bin"
    assert more.out == f"trtexec --onnx=fixed.onnx --saveEngine=out.engine {options} {end}"
    assert not (folder / "out.engine").exists()


def test_trtexec_command_has_folders_and_quotes(folder: Path, aethernet: Callable[..., Result]) -> None:
    (folder / "my models").mkdir()
    (folder / "fixed.onnx").rename(folder / "my models" / "fixed.onnx")
    result = aethernet("engine", "my models/fixed.onnx", "-o", "new/out.engine", "--print-trtexec")
    onnx_file, engine = str(Path("my models/fixed.onnx")), str(Path("new/out.engine"))
    assert split(result.out)[1:3] == [f"--onnx={onnx_file}", f"--saveEngine={engine}"]


def test_targets_add_up(folder: Path, aethernet: Callable[..., Result]) -> None:
    command = ("engine", folder / "small.onnx", "-o", "out.engine", "--dry-run", "--json")
    result = aethernet(*command, "--target", "8.6", "RTX 4090", "--target", "12.0")
    assert json.loads(result.out)["targets"] == ["8.6", "8.9", "12.0"]


def test_no_trtexec_command_for_what_is_refused(folder: Path, aethernet: Callable[..., Result]) -> None:
    onnx.save(computed_scale(), "computed.onnx")
    result = aethernet("engine", "computed.onnx", "-o", "out.engine", "--print-trtexec")
    assert (result.code, result.out) == (1, "")
    assert "computed.onnx is refused: QDQ" in result.err
    assert not (folder / "out.engine").exists()
