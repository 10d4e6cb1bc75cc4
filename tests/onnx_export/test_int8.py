"""INT8 files: what they lose on photographs, and what ONNX Runtime makes of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from spandrel_aethernet.data import DEMO_MODEL, PHOTOGRAPHS, half_size, original
from spandrel_aethernet.evaluation.metrics import psnr
from spandrel_aethernet.images.files import read_picture
from spandrel_aethernet.inference.backend import Backend
from spandrel_aethernet.inference.onnx import OnnxBackend
from spandrel_aethernet.inference.pytorch import PyTorchBackend
from spandrel_aethernet.inference.tiling import upscale_pixels
from spandrel_aethernet.lint.linter import lint_file
from spandrel_aethernet.model.io import load_model
from spandrel_aethernet.onnx_export.export import export_onnx
from spandrel_aethernet.onnx_export.int8_ops import PRESETS

from ..model.reference import DATA


def decibels_lost(float_backend: Backend, file: Path) -> float:
    """Mean over the photographs, against the originals."""
    int8 = OnnxBackend(file)
    losses: list[float] = []
    for name in PHOTOGRAPHS:
        small, truth = read_picture(half_size(name)).pixels, read_picture(original(name)).pixels
        scores = [psnr(upscale_pixels(b, small, tile=512), truth) for b in (float_backend, int8)]
        losses.append(scores[0] - scores[1])
    return float(np.mean(losses))


@pytest.mark.parametrize("preset", PRESETS)
def test_int8_loses_little_on_photographs(preset: str, demo_backend: PyTorchBackend, tmp_path: Path) -> None:
    file = export_onnx(DEMO_MODEL, tmp_path / "int8.onnx", preset=preset, verified=False).path
    assert decibels_lost(demo_backend, file) < 0.05
    assert (lint_file(file).coverage.total.ratio or 0) > 0.8
    assert file.stat().st_size < 2_500_000


@pytest.mark.parametrize("preset", PRESETS)
def test_int8_without_qat_keeps_in_float_what_would_lose_more(preset: str, tmp_path: Path) -> None:
    source = DATA / "aether_small_2x_float16.safetensors"
    report = export_onnx(source, tmp_path / "int8.onnx", preset=preset)
    depthwise = [f"layers.{stage}.{block}.conv.fused_conv" for stage in range(4) for block in range(4)]
    expected = {"conv_first", "conv_before_upsample.0", "upsample.0", "conv_last"}
    expected |= set(depthwise) if preset == "onnxruntime" else set()
    assert set(report.metadata.float_operators) == expected
    float_backend = PyTorchBackend(load_model(source).model, torch.device("cpu"), torch.float32)
    assert decibels_lost(float_backend, report.path) < 0.15


@pytest.mark.parametrize("opset", [17, 20])
@pytest.mark.parametrize("preset", [None, *PRESETS])
def test_what_onnx_runtime_makes_of_it(preset: str | None, opset: int, tmp_path: Path) -> None:
    """Every product is an integer kernel, and every GELU one operator."""
    precision = "fp32-int8" if preset else "fp32"
    report = export_onnx(
        DEMO_MODEL,
        tmp_path / "out.onnx",
        precision=precision,
        preset=preset or "tensorrt",
        opset=opset,
        verified=False,
    )
    optimised = tmp_path / "optimised.onnx"
    library: Any = onnxruntime
    options = library.SessionOptions()
    options.optimized_model_filepath = str(optimised)
    options.log_severity_level = 3
    library.InferenceSession(str(report.path), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(str(optimised)).graph.node)
    assert kinds["BiasGelu"] == 16
    assert kinds["MatMulIntegerToFloat"] == (32 if preset else 0)
    assert kinds["MatMul"] == (0 if preset else 48)
