"""The ONNX files of a release: one of each precision, from one calibration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..model.source import NetworkSource
from ..onnx_export.calibration import CalibrationImages, calibrated
from ..onnx_export.export import Exported, export_network
from ..precision import EXPORTED, Precision
from ..progress import Progress


def onnx_path(stem: Path, precision: Precision) -> Path:
    """Return `STEM_PRECISION.onnx`."""
    return stem.with_name(f"{stem.name}_{precision.file_stem}.onnx")


def write_exports(
    source: NetworkSource, images: CalibrationImages, stem: Path, *, progress: Progress
) -> dict[Path, Exported]:
    """Export every precision, verified, and return each file that was written with what it holds.

    Raises `ImageError`, `OnnxError`, and OSError for a file that cannot be written.
    """
    ready = calibrated(source, images, progress=progress)  # once, not once a file
    written: dict[Path, Exported] = {}
    for precision in EXPORTED:
        steps = _Prefixed(progress, str(precision))
        exported = export_network(ready, precision=precision, calibration=images, progress=steps)
        path = onnx_path(stem, precision)
        path.write_bytes(exported.model.SerializeToString())
        written[path] = replace(exported, report=replace(exported.report, path=path))
    return written


class _Prefixed:
    """Tells another `Progress` of one export's steps: all exports name theirs alike."""

    def __init__(self, progress: Progress, prefix: str) -> None:
        self._progress, self._prefix = progress, prefix

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:
        self._progress.begin(f"{self._prefix}: {step}", total, within=within and f"{self._prefix}: {within}")

    def advance(self, step: str | None = None) -> None:
        self._progress.advance(step and f"{self._prefix}: {step}")

    def poll(self) -> None:
        self._progress.poll()
