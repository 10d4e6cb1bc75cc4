"""From what a user names to the ONNX file that TensorRT is given."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import AetherError, EngineError
from ..model.checkpoint import Weights
from ..model.io import SUFFIXES

DEFAULT_PRECISION = "fp16-int8"
"""What a checkpoint becomes on the way, if nothing else is asked for."""


@contextmanager
def as_onnx(
    source: Path, *, precision: str | None, weights: Weights, calibration: Path | None, **export: Any
) -> Generator[Path]:
    """Yield an ONNX file as it is, or a checkpoint's export, which is gone after the block.

    `export` goes to `export_onnx`. Raises what that raises, and `AetherError` for options that an ONNX
    file has no use for.
    """
    suffix = source.suffix.lower()
    if suffix == ".onnx":
        given = {"precision": precision, "weights": weights != "grid", "calibrate": calibration}
        if used := [option for option, value in given.items() if value]:
            raise AetherError(f"--{used[0]} is for checkpoints, and {source} is none: leave it out")
        yield source
        return
    if suffix not in SUFFIXES:
        known = ", ".join((".onnx", *SUFFIXES))
        raise EngineError(f"{source} is not named like an ONNX file or a checkpoint: expected {known}")
    from ..onnx_export.export import export_onnx

    wanted: Any = precision or DEFAULT_PRECISION
    with TemporaryDirectory() as folder:
        onnx = Path(folder) / f"{source.stem}_{wanted.replace('-', '_')}.onnx"
        export_onnx(
            source,
            onnx,
            precision=wanted,
            preset="tensorrt",
            weights=weights,
            calibration=calibration,
            **export,
        )
        yield onnx
