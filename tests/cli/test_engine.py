"""`aethernet engine`, and `aethernet info` of what it builds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import split
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from spandrel_aethernet.engines.runtime import find_runtime
from spandrel_aethernet.engines.sidecar import sidecar_path
from spandrel_aethernet.files import sha256

from ..conftest import Result, make_network
from ..engines.networks import upscaler, with_unknown_operator
from ..lint.graphs import computed_scale, integer_operator

pytest.importorskip("tensorrt_rtx")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a network and files that are none."""
    monkeypatch.chdir(tmp_path)
    upscaler(Path("small.onnx"))
    upscaler(Path("int8.onnx"), np.float16, int8=True)
    upscaler(Path("products.onnx"), product=True)
    upscaler(Path("fixed.onnx"), shape=(1, 3, 64, 64))
    torch.save(make_network().state_dict(), "small.pth")
    Path("kept.engine").write_bytes(b"kept")
    Path("described.engine.json").write_text("kept")
    Path("file").write_bytes(b"")
    return tmp_path


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


def make_bad_files() -> None:
    whole = Path("small.onnx").read_bytes()
    Path("truncated.onnx").write_bytes(whole[: len(whole) // 2])
    Path("text.onnx").write_text("no network")
    onnx.save(computed_scale(), "computed.onnx")
    onnx.save(integer_operator("ConvInteger"), "integers.onnx")
    with_unknown_operator(Path("odd.onnx"))
    model = onnx.load("small.onnx")
    model.graph.output.append(model.graph.output[0])
    onnx.save(model, "two.onnx")
    model = onnx.load("small.onnx")
    del model.graph.input[0].type.tensor_type.shape.dim[0]
    onnx.save(model, "flat.onnx")
    model = onnx.load("small.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "channels"
    onnx.save(model, "any_channels.onnx")
    model = onnx.load("small.onnx")
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    onnx.save(model, "bytes.onnx")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.onnx"], "gone.onnx cannot be read: "),
        (["text.onnx"], "text.onnx is truncated or no ONNX file"),
        (["truncated.onnx"], "truncated.onnx is truncated or no ONNX file"),
        (["file"], "file is not named like an ONNX file or a checkpoint: expected .onnx, .pth"),
        (["gone.pth"], "gone.pth cannot be read: "),
        (["two.onnx"], "two.onnx has 1 inputs and 2 outputs: expected one of each"),
        (["flat.onnx"], "flat.onnx takes 3x?x?: expected N x C x H x W"),
        (["any_channels.onnx"], "any_channels.onnx takes ?x?x?x?: expected N x C x H x W with the number"),
        (["bytes.onnx"], "bytes.onnx takes no float images: expected input to be float32 or float16"),
        (["computed.onnx"], "computed.onnx is refused: QDQ"),
        (["integers.onnx"], "integers.onnx is refused: "),
        (
            ["odd.onnx", "--target", "8.6"],
            "refuses odd.onnx: at odd_one (Bernoulli): unsupported node: export",
        ),
        (
            ["small.onnx", "--target", "radeon"],
            "'radeon' is no GPU that is known here: give --target a compute capability such as 8.6",
        ),
        (["small.onnx", "--target", "9.0"], "does not build for 9.0: expected 7.5, 8.0"),
        (["products.onnx", "--target", "7.5"], "products.onnx cannot be built for 7.5"),
        (["small.onnx", "--min-shapes", "input:1x3x300x32"], "height 300:256:1080 is not in order"),
        (["small.onnx", "--max-shapes", "input:1x3x64x64"], "height 32:256:64 is not in order"),
        (["small.onnx", "--opt-shapes", "input:1x1x64x64"], "its channels is 3, not 1"),
        (
            ["small.onnx", "--opt-shapes", "image:1x3x64x64"],
            "such as --opt-shapes input:1x3x256x256",
        ),
        (["small.onnx", "--opt-shapes", "input:3x64x64"], "such as --opt-shapes input:1x3x256x256"),
        (["small.onnx", "--opt-shapes", "input:1x3x0x64"], "such as --opt-shapes input:1x3x256x256"),
        (
            ["small.onnx", "--max-shapes", "1x3x3000000000x64"],
            "such as --max-shapes input:1x3x256x256",
        ),
        (["small.onnx", "--opt-shapes", "x3x64x64"], "such as --opt-shapes input:1x3x256x256"),
        (["fixed.onnx", "--opt-shapes", "input:1x3x64x96"], "its width is 64, not 96"),
        (
            ["small.onnx", "--target", "8.6", "--workspace", "1"],
            "give a smaller --max-shapes, or more --workspace",
        ),
        (["small.onnx", "--precision", "fp16"], "small.onnx is no checkpoint: leave --precision out"),
        (["small.onnx", "--weights", "raw"], "small.onnx is no checkpoint: leave --weights out"),
        (["small.onnx", "--calibrate", "."], "small.onnx is no checkpoint: leave --calibrate out"),
        (["small.pth", "--calibrate", "gone"], "gone is not a folder: give one with images"),
        (["small.onnx", "-o", "kept.engine"], "kept.engine exists and is kept"),
        (["small.onnx", "-o", "described.engine"], "described.engine.json exists and is kept"),
        (["small.onnx", "-o", "out.plan"], "out.plan is not named like an engine: expected .engine"),
        (["small.onnx", "-o", "file/out.engine"], "file/out.engine cannot be written: "),
        (["small.onnx", "-o", "small.onnx", "--force"], "small.onnx is not named like an engine"),
    ],
)
def test_what_cannot_be_built_is_one_sentence_and_leaves_nothing(
    arguments: list[str], message: str, folder: Path, aethernet: Callable[..., Result]
) -> None:
    make_bad_files()
    before = listed(folder)
    output = [] if "-o" in arguments else ["-o", "new/out.engine"]
    result = aethernet("engine", *arguments, *output)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("aethernet: ")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert listed(folder) == before
    assert not Path("new").exists()


@pytest.mark.parametrize(
    "arguments",
    [["--optimization-level", "6"], ["--workspace", "0"], ["--runtime", "trt"], ["--precision", "int4"], []],
)
def test_wrong_usage_exits_with_2(arguments: list[str], aethernet: Callable[..., Result]) -> None:
    output = ["-o", "out.engine"] if arguments else []
    with pytest.raises(SystemExit) as error:
        aethernet("engine", "small.onnx", *output, *arguments)
    assert error.value.code == 2


def test_without_any_tensorrt_the_command_that_helps_is_told(folder: Path) -> None:
    code = """
import sys
for name in ("tensorrt", "tensorrt_rtx"):
    sys.modules[name] = None
from spandrel_aethernet.cli import main
sys.stderr = sys.stdout
assert main(["engine", "small.onnx", "-o", "out.engine"]) == 1
assert main(["engine", "small.onnx", "-o", "out.engine", "--runtime", "rtx"]) == 1
assert main(["engine", "small.onnx", "-o", "out.engine", "--runtime", "tensorrt"]) == 1
assert main(["engine", "small.onnx", "-o", "out.engine", "--dry-run"]) == 1
"""
    command: list[Any] = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    both, rtx, classic, *dry = result.stdout.splitlines()
    hint = 'is not installed here: pip install "spandrel-aethernet[rtx]"'
    assert both == f"aethernet: TensorRT for RTX or TensorRT {hint}"
    assert rtx == f"aethernet: TensorRT for RTX {hint}"
    assert classic == 'aethernet: TensorRT is not installed here: pip install "spandrel-aethernet[tensorrt]"'
    assert "runtime    unknown" in dry
    assert f"would fail TensorRT for RTX or TensorRT {hint}" in dry
    assert not (folder / "out.engine").exists()
