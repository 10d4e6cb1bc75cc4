"""Acceptance: what INT8 loses on photographs, which kernels ONNX Runtime runs, the published cases."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spandrel_aethernet import export_network, lint_onnx
from spandrel_aethernet.data import DEMO_MODEL, PHOTOGRAPHS, half_size, original
from spandrel_aethernet.images.channels import as_tensor, feed_for, to_network
from spandrel_aethernet.images.files import read_picture
from spandrel_aethernet.images.psnr import psnr
from spandrel_aethernet.model.generations import deployed, planned
from spandrel_aethernet.model.operators import PRESETS
from spandrel_aethernet.model.source import NetworkSource, as_source
from spandrel_aethernet.onnx_export.calibration import calibrated, calibration_images
from spandrel_aethernet.onnx_export.scales import find_scales
from spandrel_aethernet.onnx_export.simulate import simulate
from spandrel_aethernet.onnx_export.torch_export import newest_opset

from ..artifacts import Artifacts
from ..model.reference import DATA, load_case

WITHOUT_QAT = DATA / "aether_small_2x_float16.safetensors"
CROP = 64
"""Pixels of a side of what is upscaled of each photograph."""
LARGE_OPS = {"fp32-int8": 50, "fp16-int8": 49}
"""How many operators of aether_small the default presets quantize."""


@cache
def photographs() -> list[tuple[Tensor, NDArray[np.uint8]]]:
    """The middle of each photograph as a network takes it, and of its original."""
    pairs: list[Any] = []
    for name in PHOTOGRAPHS:
        small, large = read_picture(half_size(name)).pixels, read_picture(original(name)).pixels
        top, left = ((side - CROP) // 2 for side in small.shape[:2])
        crop = small[top : top + CROP, left : left + CROP]
        truth = large[2 * top : 2 * (top + CROP), 2 * left : 2 * (left + CROP)]
        pairs.append((to_network(as_tensor(crop)[None], feed_for(3, 3)).contiguous(), truth))
    return pairs


def mean_psnr(
    outputs: list[NDArray[np.floating]], of: list[tuple[Tensor, NDArray[np.uint8]]] | None = None
) -> float:
    """Mean over photographs, by default all, against the originals, in 8 bits and 2 pixels from the edge."""
    scores: list[float] = []
    for output, (_, truth) in zip(outputs, of or photographs(), strict=True):
        pixels = np.rint(np.clip(output[0].transpose(1, 2, 0).astype(np.float32), 0, 1) * 255)
        scores.append(psnr(pixels[2:-2, 2:-2], truth[2:-2, 2:-2], peak=255))
    return float(np.mean(scores))


@torch.inference_mode()
def of_network(network: nn.Module) -> float:
    return mean_psnr([network(image).numpy() for image, _ in photographs()])


def of_file(path: Path) -> float:
    library: Any = onnxruntime
    session = library.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return mean_psnr([session.run(None, {"input": image.numpy()})[0] for image, _ in photographs()])


@cache
def measured(path: Path, preset: str) -> tuple[NetworkSource, nn.Module, float]:
    """A network with all ranges, as it is deployed, and what it reaches in float."""
    source = calibrated(as_source(path), calibration_images(None, 3))
    network = deployed(source.checkpoint.network(), merged=True, for_cpu=preset == "onnxruntime")
    return source, network, of_network(network)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    ("path", "limit"), [(DEMO_MODEL, 0.05), pytest.param(WITHOUT_QAT, 0.15, marks=pytest.mark.release)]
)
def test_int8_loses_little_on_photographs(preset: str, path: Path, limit: float) -> None:
    """Decibels of the network that every INT8 export is verified against."""
    source, network, in_float = measured(path, preset)
    ranges = source.checkpoint.ranges
    ops = planned(source.checkpoint.network(), preset, ranges)
    scales = find_scales(network, ops, ranges, calibration_images(None, 3))
    assert in_float - of_network(simulate(network, scales)) < limit


@pytest.mark.slow
def test_the_exported_file_loses_little_on_photographs(artifacts: Artifacts) -> None:
    _, _, in_float = measured(DEMO_MODEL, "onnxruntime")
    assert in_float - of_file(artifacts.onnx("fp32-int8", "demo")) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32-int8", pytest.param("fp16-int8", marks=pytest.mark.slow)])
def test_most_of_the_arithmetic_is_int8(precision: str, artifacts: Artifacts) -> None:
    file = artifacts.onnx(precision, "demo")
    assert len(artifacts.report(precision, "demo").metadata.input_ranges) == LARGE_OPS[precision]
    assert (lint_onnx(file).coverage.total.ratio or 0) > 0.8
    assert file.stat().st_size < 2_500_000


@pytest.mark.parametrize("preset", PRESETS)
def test_without_qat_what_would_lose_more_stays_float(preset: str) -> None:
    source = as_source(WITHOUT_QAT)
    ops = planned(source.checkpoint.network(), preset, source.checkpoint.ranges)
    network = deployed(source.checkpoint.network(), merged=True, for_cpu=preset == "onnxruntime")
    weighted = {name.removesuffix(".weight") for name, part in network.named_parameters() if part.ndim > 1}
    depthwise = {f"layers.{stage}.{block}.conv.fused_conv" for stage in range(4) for block in range(4)}
    expected = {"conv_first", "conv_before_upsample.0", "upsample.0", "conv_last"}
    expected |= depthwise if preset == "onnxruntime" else set()
    assert weighted - {op.module for op in ops} == expected


def kernels(model: onnx.ModelProto, folder: Path) -> Counter[str]:
    """Count the operators of a model once ONNX Runtime has fused what it can."""
    optimised = folder / "optimised.onnx"
    library: Any = onnxruntime
    options = library.SessionOptions()
    options.optimized_model_filepath = str(optimised)
    options.log_severity_level = 3
    library.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(str(optimised)).graph.node)


@pytest.mark.slow
def test_every_product_of_the_demo_model_is_an_integer_kernel(artifacts: Artifacts, tmp_path: Path) -> None:
    found = kernels(onnx.load(str(artifacts.onnx("fp32-int8", "demo"))), tmp_path)
    assert (found["BiasGelu"], found["MatMulIntegerToFloat"], found["MatMul"]) == (16, 48, 0)


def test_float_products_stay_apart_and_every_gelu_is_one_operator(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    found = kernels(onnx.load(str(artifacts.onnx("fp32"))), tmp_path)
    assert (found["BiasGelu"], found["MatMulIntegerToFloat"], found["MatMul"]) == (2, 0, 6)


@pytest.mark.parametrize(
    ("opset", "preset", "precision"),
    [
        pytest.param(18, "onnxruntime", "fp32-int8", marks=pytest.mark.slow),
        pytest.param(19, "tensorrt", "fp32-int8", marks=pytest.mark.slow),
        (20, None, "fp32"),
        pytest.param(21, "onnxruntime", "fp32-int8", marks=pytest.mark.slow),
        pytest.param(17, "tensorrt", "fp32-int8", marks=pytest.mark.slow),
        pytest.param(20, "tensorrt", "fp32-int8", marks=pytest.mark.slow),
        pytest.param(20, "onnxruntime", "fp32-int8", marks=pytest.mark.slow),
    ],
)
def test_every_opset_agrees_and_runs_on_the_same_kernels(
    opset: int, preset: str | None, precision: str, artifacts: Artifacts, tmp_path: Path
) -> None:
    if opset > newest_opset():
        pytest.skip("this PyTorch does not write it")
    exported = export_network(
        artifacts.tiny, precision=precision, preset=preset, opset=opset, calibration=artifacts.images
    )
    assert exported.model.opset_import[0].version == exported.report.opset == opset
    assert exported.report.agreements
    found = kernels(exported.model, tmp_path)
    integer = 6 if preset == "onnxruntime" else 4  # gate and main apart, or as one
    products = (0, 6) if precision == "fp32" else (integer, 0)
    assert (found["BiasGelu"], found["MatMulIntegerToFloat"], found["MatMul"]) == (2, *products)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        pytest.param("small_3x_gray_fused", "fp32", marks=pytest.mark.slow),
        pytest.param("small_2x_fused", "fp16", marks=pytest.mark.release),
        pytest.param("small_2x_fused", "fp32", marks=pytest.mark.release),
        pytest.param("small_3x_gray_fused", "fp16", marks=pytest.mark.slow),
    ],
)
def test_reference_cases_in_float(name: str, precision: str, tmp_path: Path) -> None:
    case = load_case(name)
    torch.save(case.checkpoint, tmp_path / "case.pth")
    model = export_network(tmp_path / "case.pth", precision=precision, verified=False).model
    library: Any = onnxruntime
    session = library.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    dtype = np.float16 if precision == "fp16" else np.float32
    output = session.run(None, {"input": case.input.numpy().astype(dtype)})[0]
    expected = case.expected.numpy()
    if precision == "fp32":
        assert float(np.abs(output - expected).max()) < 1e-4
    assert psnr(output, expected, peak=1) > 50
