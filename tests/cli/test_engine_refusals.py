"""What `aethernet engine` refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from ..conftest import Result
from ..engines.networks import with_unknown_operator
from ..lint.graphs import computed_scale, integer_operator

pytest.importorskip("tensorrt_rtx")


def listed(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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
