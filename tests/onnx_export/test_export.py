"""What exported models hold, and that a network in memory gives what its file gives."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import NodeProto, TensorProto, numpy_helper

from spandrel_aethernet import (
    AetherNet,
    Profile,
    Range,
    __version__,
    export_network,
    export_onnx,
    load_model,
    read_checkpoint,
)
from spandrel_aethernet.model.io import read_state_dict
from spandrel_aethernet.model.source import as_source
from spandrel_aethernet.onnx_export.defaults import default_opset, default_preset
from spandrel_aethernet.onnx_model.metadata import read_metadata
from spandrel_aethernet.precision import EXPORTED, Precision

from ..artifacts import TINY, Artifacts
from ..conftest import make_network
from .steps import Recorder, StoppedError, Stopping

PRECISIONS = [str(precision) for precision in EXPORTED]
INT8 = [str(precision) for precision in EXPORTED if precision.int8]
SMALL = Profile(Range(1, 1, 2), Range(8, 16, 24), Range(8, 16, 24))
BLOCKS = ("layers.0.0", "layers.1.0")
PLANNED = {
    "fp32-int8": {
        *(f"{b}.ffn.{fc}" for b in BLOCKS for fc in ("fc1_gate", "fc1_main", "fc2")),
        "conv_after_body",
        "upsample.0",
    },
    "fp16-int8": {
        *(f"{b}.{part}" for b in BLOCKS for part in ("conv.fused_conv", "ffn.fc1", "ffn.fc2")),
        "conv_after_body",
    },
}
"""The operators of the shared tiny network that are INT8 with the default presets."""


@pytest.fixture
def model(artifacts: Artifacts) -> Callable[[str], onnx.ModelProto]:
    """Read what the shared tiny network is exported as in a precision."""
    return lambda precision: onnx.load(str(artifacts.onnx(precision)))


def tensors(model: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def is_qdq(node: NodeProto) -> bool:
    return node.op_type in ("QuantizeLinear", "DequantizeLinear")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_opset_and_ir_version_are_the_published_ones(model: Any, precision: str) -> None:
    exported = model(precision)
    assert [(opset.domain, opset.version) for opset in exported.opset_import] == [
        ("", 20 if precision == "fp16-int8" else 17)
    ]
    assert exported.ir_version <= 9, "the newest that onnxruntime 1.17.1 reads"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_input_and_output_are_the_published_ones(model: Any, precision: str) -> None:
    graph = model(precision).graph
    (given,), (result,) = graph.input, graph.output
    kind = TensorProto.FLOAT16 if Precision.parse(precision).float_type == "fp16" else TensorProto.FLOAT
    assert (given.name, result.name) == ("input", "output")
    assert given.type.tensor_type.elem_type == result.type.tensor_type.elem_type == kind
    sizes = [[d.dim_param or d.dim_value for d in io.type.tensor_type.shape.dim] for io in (given, result)]
    assert sizes[0] == ["batch", 3, "height", "width"]
    assert (sizes[1][0], *sizes[1][2:]) == ("batch", "2*height", "2*width")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_nothing_is_clamped_padded_or_resized(model: Any, precision: str) -> None:
    assert {node.op_type for node in model(precision).graph.node}.isdisjoint({"Clip", "Pad", "Resize"})


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_report_has_the_metadata_of_the_file(model: Any, artifacts: Artifacts, precision: str) -> None:
    assert read_metadata(model(precision)) == artifacts.report(precision).metadata


def test_metadata_tell_where_a_model_comes_from(artifacts: Artifacts) -> None:
    metadata = artifacts.report("fp16").metadata
    assert metadata.source == artifacts.tiny.name
    assert metadata.source_sha256 == hashlib.sha256(artifacts.tiny.read_bytes()).hexdigest()
    assert (metadata.variant, metadata.layout, metadata.scale) == ("custom", "not fused, QAT", 2)
    assert (metadata.precision, metadata.package_version) == ("fp16", __version__)
    assert metadata.profile == Profile(Range(1, 1, 16), Range(32, 256, 1080), Range(32, 256, 1920))
    assert (metadata.preset, metadata.input_ranges, metadata.float_operators) == (None, {}, [])


@pytest.mark.parametrize("precision", INT8)
def test_metadata_tell_operators_and_where_ranges_come_from(artifacts: Artifacts, precision: str) -> None:
    metadata = artifacts.report(precision).metadata
    assert set(metadata.input_ranges) == PLANNED[precision]
    assert {metadata.input_ranges[name] for name in PLANNED[precision] if "fc1" in name} == {"learned"}
    assert metadata.input_ranges["layers.1.0.ffn.fc2"] == "calibrated"
    assert set(metadata.float_operators).isdisjoint(PLANNED[precision])
    assert {"conv_first", "conv_last"} <= set(metadata.float_operators)


@pytest.mark.parametrize("precision", INT8)
def test_every_scale_is_positive_symmetric_and_of_the_float_type(model: Any, precision: str) -> None:
    exported = model(precision)
    values = tensors(exported)
    dtype = np.float16 if Precision.parse(precision).float_type == "fp16" else np.float32
    for node in filter(is_qdq, exported.graph.node):
        scale, zero = values[node.input[1]], values[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()
        assert scale.dtype == dtype
        assert (scale > 0).all()
        assert scale.ndim == (1 if node.input[0] in values else 0), "per channel for weights only"


@pytest.mark.parametrize("precision", INT8)
def test_planned_operators_and_no_others_read_int8(model: Any, precision: str) -> None:
    exported = model(precision)
    from_node = {output: node for node in exported.graph.node for output in node.output}
    values = tensors(exported)
    for node in exported.graph.node:
        if node.op_type in ("Conv", "MatMul"):
            data, weight = (from_node.get(name) for name in node.input[:2])
            through = [part is not None and part.op_type == "DequantizeLinear" for part in (data, weight)]
            name = weight.input[0] if weight else node.input[1]
            quantized = name.removesuffix(".weight") in PLANNED[precision]
            assert through == [quantized] * 2, name
            assert (values[name].dtype == np.int8) == quantized, name


@pytest.mark.parametrize("precision", INT8)
def test_each_quantized_tensor_is_quantized_once(model: Any, precision: str) -> None:
    """Once, but for parts of one operator: each has its own pair, told from the other by an attribute."""
    nodes = model(precision).graph.node
    quantized = [
        (node.input[0], *(attribute.i for attribute in node.attribute))
        for node in nodes
        if node.op_type == "QuantizeLinear"
    ]
    assert len(quantized) == len(set(quantized)) == len(PLANNED[precision])
    assert sum(len(key) > 1 for key in quantized) == sum("fc1_" in name for name in PLANNED[precision])


def test_int8_weights_are_bit_exact_on_the_trained_grid(model: Any, artifacts: Artifacts) -> None:
    values = tensors(model("fp32-int8"))
    grid = read_checkpoint(read_state_dict(artifacts.tiny)).state_dict
    for block in BLOCKS:
        for part in ("fc1_gate", "fc1_main"):
            name = f"{block}.ffn.{part}.weight"
            stored = values[name].astype(np.float32) * values[f"{name}.scale"]
            assert np.array_equal(stored, grid[name].t().numpy())
    name = "conv_after_body.weight"
    stored = values[name].astype(np.float32) * values[f"{name}.scale"].reshape(-1, 1, 1, 1)
    assert np.array_equal(stored, grid[name].numpy())


SCALES = [*zip((8, 1, 3, 4), PRECISIONS, strict=True)]


@pytest.mark.parametrize(
    ("scale", "precision"),
    [SCALES[1], *(pytest.param(*each, marks=pytest.mark.slow) for each in (SCALES[0], *SCALES[2:]))],
)
def test_other_scales_and_channels_without_qat(scale: int, precision: str, artifacts: Artifacts) -> None:
    network = make_network(**TINY, scale=scale, in_chans=4)
    report = export_network(
        network, precision=precision, profile=SMALL, preset="onnxruntime", calibration=artifacts.images
    ).report
    assert len(report.agreements) == 2, "agreement with PyTorch was checked, or this would have raised"
    assert set(report.metadata.input_ranges.values()) <= {"calibrated"}
    assert (report.metadata.scale, report.metadata.channels) == (scale, 4)


def test_fixed_shapes(artifacts: Artifacts) -> None:
    exported = export_network(
        artifacts.tiny, precision="fp32", profile=Profile(Range.only(1), Range.only(24), Range.only(40))
    )
    shape = exported.model.graph.input[0].type.tensor_type.shape
    assert [dim.dim_value for dim in shape.dim] == [1, 3, 24, 40]
    assert [agreement.shape for agreement in exported.report.agreements] == [(1, 3, 24, 40)]


@pytest.mark.slow
def test_a_descriptor_gives_the_bytes_of_its_file(tmp_path: Path, artifacts: Artifacts) -> None:
    """But for what the metadata say of the source."""
    descriptor = load_model(artifacts.tiny)
    before = {key: tensor.clone() for key, tensor in descriptor.model.state_dict().items()}
    report = export_onnx(descriptor, tmp_path / "out.onnx", verified=False, name="my_2x")
    assert report.path == tmp_path / "out.onnx"
    written, of_file = (onnx.load(str(path)) for path in (report.path, artifacts.onnx("fp32-int8")))
    assert report.metadata == read_metadata(written)
    assert (report.metadata.source, report.metadata.layout) == ("my_2x.safetensors", "fused, QAT")
    del written.metadata_props[:], of_file.metadata_props[:]
    assert written.SerializeToString() == of_file.SerializeToString()
    assert all(torch.equal(descriptor.model.state_dict()[key], tensor) for key, tensor in before.items())


@pytest.mark.slow
def test_steps_are_told_and_counted_to_their_end(artifacts: Artifacts) -> None:
    steps = Recorder()
    export_network(as_source(artifacts.tiny), calibration=artifacts.images, progress=steps)
    assert steps.begun == [("calibrating", 1), ("exporting", 1), ("verifying", 3)]
    assert steps.advanced == sum(total for _, total in steps.begun)
    assert steps.polled >= 4


def test_what_a_poll_raises_leaves_nothing(tmp_path: Path, artifacts: Artifacts) -> None:
    with pytest.raises(StoppedError):
        export_onnx(artifacts.tiny, tmp_path / "deep" / "out.onnx", progress=Stopping(at=2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_model_that_does_not_agree_is_not_written(tmp_path: Path) -> None:
    network = make_network(**TINY)
    network.get_parameter("conv_last.bias").data += 2000  # float16 steps by 1 there
    with pytest.raises(ValueError, match="does not agree with PyTorch"):
        export_onnx(network, tmp_path / "out.onnx", precision="fp16", profile=SMALL)
    assert list(tmp_path.iterdir()) == []


def test_reports_are_ready_for_json(artifacts: Artifacts) -> None:
    document = json.loads(json.dumps(artifacts.report("fp32-int8").describe(), allow_nan=False))
    assert document["file"] == "tiny_fp32_int8.onnx"
    assert document["profile"] == {"batch": "1:1:16", "height": "32:256:1080", "width": "32:256:1920"}
    assert min(agreement["psnr"] for agreement in document["agreements"]) > 45


def test_default_opset_is_what_the_types_need() -> None:
    assert [default_opset(precision) for precision in EXPORTED] == [17, 17, 17, 20]


@pytest.mark.parametrize(("precision", "preset"), [("fp32-int8", "onnxruntime"), ("fp16-int8", "tensorrt")])
def test_default_preset_is_what_the_types_are_for(precision: str, preset: str, artifacts: Artifacts) -> None:
    assert artifacts.report(precision).metadata.preset == preset
    assert default_preset(Precision.parse(precision)) == preset


def test_ctrl_c_inside_pytorch_waits_for_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = make_network(**TINY)
    forward = type(network).forward
    ended: list[bool] = []

    def interrupted(self: AetherNet, x: torch.Tensor) -> torch.Tensor:
        if not ended:
            signal.raise_signal(signal.SIGINT)
        ended.append(True)
        return forward(self, x)

    monkeypatch.setattr(type(network), "forward", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell runs it behind
    try:
        with pytest.raises(KeyboardInterrupt):
            export_onnx(network, tmp_path / "out.onnx", precision="fp32", profile=SMALL)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended
    assert list(tmp_path.iterdir()) == []
