"""Float32 input and output of FP16 files: `export --io fp32`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from spandrel_aethernet import BuildOptions, build_engine, export_network, export_onnx, lint_onnx
from spandrel_aethernet.inference.onnx import OnnxBackend
from spandrel_aethernet.onnx_export.ends import with_float32_ends
from spandrel_aethernet.onnx_model.metadata import read_metadata
from spandrel_aethernet.shapes import Profile, Range

from ..artifacts import TINY, Artifacts
from ..conftest import Result, make_network

SMALL = Profile(Range(1, 1, 2), Range(8, 16, 24), Range(8, 16, 24))


@pytest.fixture(scope="module", params=["fp16", pytest.param("fp16-int8", marks=pytest.mark.slow)])
def pair(
    request: pytest.FixtureRequest, artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The shared network in FP16, and the same with float32 ends."""
    target = tmp_path_factory.mktemp("ends") / f"{request.param}.onnx"
    export_onnx(artifacts.tiny, target, precision=request.param, io="fp32")
    return artifacts.onnx(request.param), target


def run(path: Path, image: Any) -> Any:
    """Run what the file says, node by node: on a CPU ONNX Runtime drops casts and what float16 rounds."""
    evaluator: Any = ReferenceEvaluator(str(path))
    return evaluator.run(["output"], {"input": image})[0]


def test_both_ends_are_float32_under_their_names(pair: tuple[Path, Path]) -> None:
    plain, wrapped = (onnx.load(str(path)).graph for path in pair)
    ends = (*wrapped.input, *wrapped.output)
    assert [end.name for end in ends] == ["input", "output"]
    assert [end.type.tensor_type.elem_type for end in ends] == [TensorProto.FLOAT] * 2
    for end, old in zip(ends, (*plain.input, *plain.output), strict=True):
        assert end.type.tensor_type.shape == old.type.tensor_type.shape
    assert [node.op_type for node in wrapped.node[:: len(wrapped.node) - 1]] == ["Cast", "Cast"]
    assert [node.op_type for node in wrapped.node[1:-1]] == [node.op_type for node in plain.node]
    assert wrapped.initializer == plain.initializer


def test_it_computes_what_the_fp16_file_does(pair: tuple[Path, Path]) -> None:
    image = np.random.default_rng(0).random((2, 3, 9, 12), np.float32)
    plain, wrapped = run(pair[0], image.astype(np.float16)), run(pair[1], image)
    assert wrapped.dtype == np.float32
    assert np.array_equal(wrapped, plain.astype(np.float32))


def test_the_metadata_tell(pair: tuple[Path, Path]) -> None:
    plain, wrapped = (read_metadata(onnx.load(str(path))) for path in pair)
    assert plain is not None
    assert wrapped is not None
    assert (plain.io, wrapped.io) == (None, "fp32")
    assert wrapped.precision == plain.precision


def test_the_linter_finds_no_more_and_the_same_share_of_int8(pair: tuple[Path, Path]) -> None:
    plain, wrapped = map(lint_onnx, pair)
    assert not wrapped.errors
    assert [(one.rule, one.node) for one in wrapped.warnings] == [
        (one.rule, one.node) for one in plain.warnings
    ]
    assert wrapped.coverage == plain.coverage


def test_onnx_runtime_upscales_with_it(pair: tuple[Path, Path]) -> None:
    backend = OnnxBackend(pair[1], provider="cpu")  # which runs it once
    assert (backend.dtype, backend.scale) == ("float32", 2)


def test_it_is_opened_as_vs_mlrt_opens_it(pair: tuple[Path, Path]) -> None:
    """vs-mlrt's common/onnx_utils.cpp sets the sizes, vsort/vs_onnxruntime.cpp then looks at both ends."""
    model = onnx.load(str(pair[1]))
    given, result = (entry.type.tensor_type.shape for entry in (*model.graph.input, *model.graph.output))
    for axis, size in ((0, 1), (2, 40), (3, 56)):
        given.dim[axis].dim_value = size
    result.dim[0].dim_value = 1
    model = onnx.shape_inference.infer_shapes(model)
    library: Any = onnxruntime
    session = library.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ends = [(end.type, end.shape) for end in (*session.get_inputs(), *session.get_outputs())]
    assert ends == [("tensor(float)", [1, 3, 40, 56]), ("tensor(float)", [1, 3, 80, 112])]
    image = np.zeros((1, 3, 40, 56), np.float32)
    assert session.run(None, {"input": image})[0].shape == (1, 3, 80, 112)


@pytest.mark.slow
def test_an_engine_of_it_takes_float32_and_keeps_its_int8(pair: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    options = BuildOptions(targets=["8.6"])
    plain, wrapped = (
        build_engine(path, tmp_path / f"{number}.engine", options).info for number, path in enumerate(pair)
    )
    assert (plain.precision.float_type, wrapped.precision.float_type) == ("fp16", "fp32")
    assert wrapped.operators == plain.operators
    assert wrapped.fell_back == ()
    assert plain.layers is not None
    assert wrapped.layers is not None
    assert wrapped.layers.get("int8", 0) == plain.layers.get("int8", 0) == plain.operators.get("int8", 0)
    assert wrapped.layers["fp16"] >= plain.layers["fp16"] - 2


def test_trtexec_is_told_that_the_types_are_the_files_own(
    pair: tuple[Path, Path], aethernet: Callable[..., Result]
) -> None:
    pytest.importorskip("tensorrt_rtx")
    for path in pair:
        result = aethernet("engine", path, "-o", "out.engine", "--print-trtexec")
        assert result.code == 0, result.err
        assert "--stronglyTyped" in result.out
        assert "--int8" not in result.out


@pytest.mark.parametrize("precision", ["fp32", pytest.param("fp32-int8", marks=pytest.mark.slow)])
def test_an_fp32_model_is_the_same_without(precision: str, artifacts: Artifacts) -> None:
    asked = export_network(artifacts.tiny, precision=precision, io="fp32", verified=False)
    assert asked.model.SerializeToString() == artifacts.onnx(precision).read_bytes()


def test_the_model_given_stays_as_it_is(artifacts: Artifacts) -> None:
    model = onnx.load(str(artifacts.onnx("fp16")))
    before = model.SerializeToString()
    with_float32_ends(model)
    assert model.SerializeToString() == before


def test_what_leaves_float16_is_still_said() -> None:
    network = make_network(**TINY)
    network.get_parameter("conv_last.bias").data += 60000
    network.get_parameter("conv_before_upsample.0.bias").data += 60000
    with pytest.raises(ValueError, match="too large for float16"):
        export_network(network, precision="fp16", io="fp32", profile=SMALL)


@pytest.mark.slow
def test_the_command_says_what_it_wrote(
    artifacts: Artifacts, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    out = tmp_path / "out.onnx"
    options = ["--precision", "fp16", "--io", "fp32", "--no-verify"]
    result = aethernet("export", artifacts.tiny, "-o", out, *options)
    assert result.code == 0, result.err
    assert f"{out}: fp16, input and output fp32, opset 17" in result.out
