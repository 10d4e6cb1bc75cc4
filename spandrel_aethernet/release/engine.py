"""The engine of a release: for every NVIDIA card that TensorRT for RTX builds for, where it is installed."""

from __future__ import annotations

from pathlib import Path

from ..engines import SUFFIX
from ..engines.build import BuildReport, build_engine
from ..engines.build_plan import BuildOptions
from ..engines.runtime import find_runtime
from ..engines.targets import ALL
from ..errors import EngineError, Hint
from ..onnx_export.export import Exported
from ..progress import Progress

_WITHOUT = Hint("{engine} makes the release without it", engine=False)


def why_no_engine(wanted: bool | None) -> str | None:
    """Return why a release gets no engine, or None if it gets one.

    `wanted` is None for one where TensorRT for RTX is installed. Raises `EngineError` if it is True and
    TensorRT for RTX is not installed.
    """
    if wanted is False:
        return "left out, as asked"
    try:
        find_runtime("rtx")
    except EngineError as error:
        if wanted:
            raise
        return str(error)
    return None


def build_release_engine(exported: Exported, onnx: Path, *, progress: Progress) -> BuildReport:
    """Build `NAME_rtx.engine`, with its description, beside `NAME.onnx`, as which `exported` was written.

    Raises `EngineError` and `OutputError`.
    """
    target = onnx.with_name(f"{onnx.stem}_rtx{SUFFIX}")
    options = BuildOptions(runtime="rtx", targets=[ALL])
    try:
        return build_engine(exported.model, target, options, name=onnx.name, progress=progress)
    except EngineError as error:
        said = error.message
        raise EngineError(said.sentence, said.hint + _WITHOUT if said.hint else _WITHOUT) from error
