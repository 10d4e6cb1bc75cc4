"""The engine of a release: for every NVIDIA card that TensorRT for RTX builds for, where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..engines import SUFFIX
from ..engines.as_onnx import DEFAULT_PRECISION
from ..engines.build import BuildReport, build_engine
from ..engines.build_plan import BuildOptions
from ..engines.runtime import find_flavour
from ..engines.targets import ALL
from ..errors import EngineError
from ..onnx_export.export import ExportReport


def why_no_engine(wanted: bool | None) -> str | None:
    """Return why a release gets no engine, or None if it gets one.

    `wanted` is None for one where TensorRT for RTX is installed. Raises `EngineError` if it is True and
    TensorRT for RTX is not installed.
    """
    if wanted is False:
        return "left out, as asked"
    try:
        find_flavour("rtx")
    except EngineError as error:
        if wanted:
            raise
        return str(error)
    return None


def build_release_engine(exports: Sequence[ExportReport], *, on_wait: Callable[[], object]) -> BuildReport:
    """Build `NAME_rtx.engine`, with its description, beside the ONNX file `NAME.onnx` of the usual precision.

    `on_wait` is called ten times a second. Raises `EngineError` and `OutputError`.
    """
    (onnx,) = (export.path for export in exports if export.metadata.precision == DEFAULT_PRECISION)
    target = onnx.with_name(f"{onnx.stem}_rtx{SUFFIX}")
    try:
        return build_engine(onnx, target, BuildOptions(runtime="rtx", targets=[ALL]), on_wait=on_wait)
    except EngineError as error:
        raise EngineError(f"{error}; --no-engine makes the release without it") from error
