"""What a release holds and what was measured of it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import __version__
from ..engines.build import BuildReport
from ..evaluation.results import Comparison, describe
from ..files import sha256
from ..lint.linter import lint_onnx
from ..model.checkpoint import CheckpointInfo
from ..onnx_export.export import Exported, ExportReport
from .triton import TritonModel

_MEASURED_WITH = ("torch", "onnx", "onnxruntime", "scikit-image")


@dataclass(frozen=True)
class FileReport:
    """One file of a release."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    precision: str
    int8_share: float | None = None
    """The part of the multiply-adds that is INT8, 0..1; None for a float file."""


@dataclass(frozen=True)
class ReleaseReport:
    """A whole release."""

    folder: Path
    stem: str
    """What the names of all its files begin with, such as `aether_small_2x`."""
    source: str
    source_sha256: str
    info: CheckpointInfo
    files: Sequence[FileReport]
    exports: Sequence[ExportReport]
    engine: BuildReport | None
    no_engine: str | None
    """Why there is no engine; None if there is one."""
    triton: TritonModel | None
    """What its model repository for Triton serves; None if it has none."""
    comparison: Comparison
    """The fused checkpoint and the ONNX files, in the order of `files`; an engine takes a GPU."""


def plain_file(path: Path) -> FileReport:
    """Describe a checkpoint."""
    return FileReport(path.name, path.stat().st_size, sha256(path), "fp32")


def onnx_file(path: Path, exported: Exported) -> FileReport:
    """Describe the ONNX file that a model was written as."""
    precision = exported.report.metadata.precision
    int8 = exported.report.metadata.preset is not None
    share = lint_onnx(exported.model).coverage.total.ratio if int8 else None
    return FileReport(path.name, path.stat().st_size, sha256(path), precision, share)


def engine_file(engine: BuildReport, files: Sequence[FileReport]) -> FileReport:
    """Describe an engine that was built from one of `files`; its share is that one's.

    None if operators that are INT8 there run in float in the engine.
    """
    info = engine.info
    (source,) = (file for file in files if file.name == info.source)
    share = None if info.fell_back else source.int8_share
    size = engine.path.stat().st_size
    return FileReport(engine.path.name, size, info.engine_sha256, str(info.precision), share)


def describe_release(report: ReleaseReport) -> dict[str, Any]:
    """Return everything as one JSON-ready document; files are named without their folder."""
    comparison = describe(report.comparison)
    for model in comparison["models"]:
        model["file"] = Path(model["file"]).name
    return {
        "name": report.stem,
        "source": report.source,
        "source_sha256": report.source_sha256,
        "variant": report.info.variant,
        "layout": report.info.layout,
        "hyperparameters": dict(report.info.hyperparameters),
        "parameters": report.info.parameters,
        "files": [asdict(file) for file in report.files],
        "exports": [export.describe() for export in report.exports],
        "engine": report.engine and {**report.engine.describe(), "file": report.engine.path.name},
        "triton": report.triton and asdict(report.triton),
        "comparison": comparison,
        "measured_with": {
            "spandrel-aethernet": __version__,
            **{package: version(package) for package in _MEASURED_WITH},
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
        },
    }
