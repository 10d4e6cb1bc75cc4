"""What is known of an engine, in a JSON file beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from ..errors import AetherError, EngineError, Hint
from ..files import sha256
from ..precision import FloatType, Precision
from ..shapes import Profile, Range
from .runtime import TITLES, RuntimeName

FORMAT = 1
"""Written first into every description. Readers pass over keys that they do not know, in any format."""
_KEYS = {"runtime": "flavour"}
"""How a description calls what has another name here."""
_AGAIN = Hint("build the engine again, or remove this file")


@dataclass(frozen=True)
class EngineInfo:
    """Where an engine came from, what it takes, and what can run it."""

    engine_sha256: str
    source: str
    """Name of the ONNX file or checkpoint, without its folder."""
    source_sha256: str
    runtime: RuntimeName
    version: str
    """Of TensorRT; an engine runs on the version that built it."""
    targets: tuple[str, ...]
    """Compute capabilities such as `8.6`."""
    profile: Profile
    input_name: str
    output_name: str
    precision: Precision
    """Its float type is that of input and output."""
    scale: int | None
    """None if the ONNX model does not tell."""
    channels: int
    operators: Mapping[str, int]
    """How many Conv, MatMul and Gemm of the ONNX model are `int8`, `fp16` and `fp32`."""
    layers: Mapping[str, int] | None
    """How many layers of the engine compute in each type, by TensorRT's own list; None if it gave none."""
    fell_back: tuple[str, ...]
    """The operators that are INT8 in the ONNX model and float in the engine, as far as `layers` is known."""
    build_seconds: float
    package_version: str


def sidecar_path(engine: Path) -> Path:
    """Return where an engine's description lies: `OUT.engine.json`."""
    return engine.with_name(f"{engine.name}.json")


def document(info: EngineInfo) -> str:
    """Return the JSON text that `read_sidecar` reads."""
    return json.dumps(describe(info), indent=2, allow_nan=False) + "\n"


def describe(info: EngineInfo) -> dict[str, Any]:
    """Return a description as one JSON-ready document."""
    named = {_KEYS.get(name, name): value for name, value in vars(info).items()}
    return {"format": FORMAT, **named, "profile": info.profile.describe(), "precision": str(info.precision)}


def read_sidecar(engine: Path) -> EngineInfo | None:
    """Return what lies beside an engine, or None if nothing does.

    Raises `EngineError` if it is damaged, lacks a key, describes an engine of other bytes, or if the engine
    cannot be read.
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
    except KeyError as error:
        raise EngineError(f"{path} is damaged, it has no {error.args[0]!r}", _AGAIN) from error
    except (ValueError, TypeError, AttributeError, AetherError) as error:
        raise EngineError(f"{path} is damaged", _AGAIN) from error
    try:
        found = sha256(engine)
    except OSError as error:
        raise EngineError(f"{engine} cannot be read: {_reason(error)}") from error
    if info.engine_sha256 != found:
        raise EngineError(
            f"{engine} is not the engine that {path.name} describes: it was changed or is damaged, "
            "copy both files again or build it again"
        )
    return info


def _parse(found: dict[str, Any]) -> EngineInfo:
    """Build a description from a document, which may hold more; a wrong one raises one of several errors."""
    keys = {field.name: _KEYS.get(field.name, field.name) for field in fields(EngineInfo)}
    known: dict[str, Any] = {name: found[key] for name, key in keys.items()}
    lists = known["targets"], known["fell_back"]
    ranges = {axis: Range.parse(known["profile"][axis], axis) for axis in Profile().describe()}
    known |= {"profile": Profile(**ranges), "targets": tuple(lists[0]), "fell_back": tuple(lists[1])}
    known["precision"] = _precision(known["precision"])
    info = EngineInfo(**known)
    texts: list[object] = [info.engine_sha256, info.source, info.source_sha256, info.version]
    texts += [info.input_name, info.output_name, info.package_version, *info.targets, *info.fell_back]
    numbers: list[object] = [info.channels, *info.operators.values(), *(info.layers or {}).values()]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(one, list) for one in lists):
        raise TypeError
    if info.runtime not in TITLES or not math.isfinite(info.build_seconds):
        raise ValueError
    if not all(isinstance(number, int) for number in (*numbers, info.scale or 1)):
        raise TypeError
    return info


def _precision(text: str) -> Precision:
    """Read what `str` writes, bfloat16 of other programs' models included."""
    float_type, _, int8 = text.partition("-")
    if float_type not in get_args(FloatType) or int8 not in ("", "int8"):
        raise ValueError
    return Precision(float_type, bool(int8))  # pyright: ignore[reportArgumentType]  (one of the choices)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
