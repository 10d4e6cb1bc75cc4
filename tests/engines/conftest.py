"""The demo model as ONNX files, made once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.onnx_export.export import PRECISIONS, export_onnx


@pytest.fixture(scope="session")
def demo_onnx(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The bundled model in each precision, with the operators in INT8 that suit TensorRT."""
    folder = tmp_path_factory.mktemp("demo")
    files: dict[str, Path] = {}
    for precision in PRECISIONS:
        file = files[precision] = folder / f"{precision}.onnx"
        preset = "tensorrt" if precision.endswith("int8") else None
        export_onnx(DEMO_MODEL, file, precision=precision, preset=preset, verified=False)
    return files
