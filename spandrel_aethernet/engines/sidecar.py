"""What is known of an engine, in a JSON file beside it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import AetherError, EngineError
from ..files import replacing
from ..shapes import Profile, Span
from .runtime import TITLES, FlavourName


@dataclass(frozen=True)
class EngineInfo:
    """Where an engine came from, what it takes, and what can run it."""

    engine_sha256: str
    source: str
    """Name of the ONNX file or checkpoint, without its folder."""
    source_sha256: str
    flavour: FlavourName
    version: str
    """Of TensorRT; an engine runs on the version that built it."""
    targets: tuple[str, ...]
    """Compute capabilities such as `8.6`."""
    profile: Profile
    input_name: str
    output_name: str
    precision: str
    """`fp32`, `fp16`, `fp32-int8` or `fp16-int8`; its first part is the type of input and output."""
    scale: int | None
    """None if the ONNX file does not tell."""
    channels: int
    operators: Mapping[str, int]
    """How many Conv, MatMul and Gemm of the ONNX file are `int8`, `fp16` and `fp32`."""
    layers: Mapping[str, int] | None
    """How many layers of the engine compute in each type, by TensorRT's own list; None if it gave none."""
    fell_back: tuple[str, ...]
    """The operators that are INT8 in the ONNX file and float in the engine, as far as `layers` is known."""
    build_seconds: float
    package_version: str


def sidecar_path(engine: Path) -> Path:
    """Return where an engine's description lies: `OUT.engine.json`."""
    return engine.with_name(f"{engine.name}.json")


def write_sidecar(engine: Path, info: EngineInfo) -> None:
    """Write an engine's description, in place of one that is there. Raises `OutputError`."""
    with replacing(sidecar_path(engine), force=True) as partial:
        partial.write_text(document(info), encoding="utf-8")


def document(info: EngineInfo) -> str:
    """Return the JSON text that `read_sidecar` reads."""
    return json.dumps(describe(info), indent=2, allow_nan=False) + "\n"


def describe(info: EngineInfo) -> dict[str, Any]:
    """Return a description as one JSON-ready document."""
    return asdict(info) | {"profile": {axis: str(span) for axis, span in vars(info.profile).items()}}


def read_sidecar(engine: Path) -> EngineInfo | None:
    """Return what lies beside an engine, or None if nothing does.

    Raises `EngineError` if it is damaged, describes an engine of other bytes, or if the engine cannot be
    read.
    """
    path = sidecar_path(engine)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"{path} cannot be read: {_reason(error)}") from error
    try:
        info = _parse(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, AetherError) as error:
        raise EngineError(f"{path} is damaged: build the engine again, or remove this file") from error
    if info.engine_sha256 != file_sha256(engine):
        raise EngineError(
            f"{engine} is not the engine that {path.name} describes: it was changed or is damaged, "
            "copy both files again or build it again"
        )
    return info


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal. Raises `EngineError` if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {_reason(error)}") from error
    return digest.hexdigest()


def _parse(found: dict[str, Any]) -> EngineInfo:
    """Build a description from a document, which may hold more; a wrong one raises one of several errors."""
    known: dict[str, Any] = {field.name: found[field.name] for field in fields(EngineInfo)}
    lists = known["targets"], known["fell_back"]
    spans = {axis: Span.parse(text, axis) for axis, text in known["profile"].items()}
    known |= {"profile": Profile(**spans), "targets": tuple(lists[0]), "fell_back": tuple(lists[1])}
    info = EngineInfo(**known)
    texts: list[object] = [info.engine_sha256, info.source, info.source_sha256, info.version, info.precision]
    texts += [info.input_name, info.output_name, info.package_version, *info.targets, *info.fell_back]
    numbers: list[object] = [info.channels, *info.operators.values(), *(info.layers or {}).values()]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(one, list) for one in lists):
        raise TypeError
    if info.flavour not in TITLES or not math.isfinite(info.build_seconds):
        raise ValueError
    if not all(isinstance(number, int) for number in (*numbers, info.scale or 1)):
        raise TypeError
    return info


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
