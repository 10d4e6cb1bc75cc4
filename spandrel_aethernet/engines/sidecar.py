"""What is known of an engine, in a JSON file beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from ..errors import EngineError, Hint
from ..gate.documents import parse_json
from ..gate.files import read_file
from ..gate.values import seconds, table, text, texts, whole
from ..precision import FloatType, Precision
from ..shapes import Profile
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


def read_sidecar(engine: Path, content: bytes | None = None) -> EngineInfo | None:
    """Return what lies beside an engine, or None if nothing does.

    `content` is the engine's bytes where they are read already. That they are those of the description tells
    that both belong together, not who made them: whoever can write one file can write both. Raises
    `EngineError` if the description is damaged, lacks a key, describes an engine of other bytes, or if the
    engine cannot be read.
    """
    path = sidecar_path(engine)
    try:
        found = read_file(path, EngineError)
    except EngineError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    try:
        info = _parse(table(parse_json(found)))
    except KeyError as error:
        raise EngineError(f"{path} is damaged, it has no {error.args[0]!r}", _AGAIN) from error
    except ValueError as error:
        raise EngineError(f"{path} is damaged", _AGAIN) from error
    content = read_file(engine, EngineError) if content is None else content
    if info.engine_sha256 != hashlib.sha256(content).hexdigest():
        raise EngineError(
            f"{engine} is not the engine that {path.name} describes: it was changed or is damaged, "
            "copy both files again or build it again"
        )
    return info


def check_trusted(engine: Path, info: EngineInfo | None, *, trust: bool) -> None:
    """Raise `EngineError` for an engine without a description, unless the user vouches for it.

    A description is no proof of where an engine came from (see `read_sidecar`): it keeps bytes that nobody
    described, such as a download of half a pair, from running unasked.
    """
    if info is None and not trust:
        raise EngineError(
            f"{engine} is not run: an engine is a program, and no {sidecar_path(engine).name} lies beside "
            "this one to tell what it is",
            Hint("copy that file too, or give {trust} if you know who built the engine", trust=True),
        )


def _parse(found: Mapping[str, Any]) -> EngineInfo:
    """Build a description from a document, which may hold more. Raises KeyError and ValueError."""
    keys = {field.name: _KEYS.get(field.name, field.name) for field in fields(EngineInfo)}
    known: dict[str, Any] = {name: found[key] for name, key in keys.items()}
    for name in ("engine_sha256", "source", "source_sha256", "version", "input_name", "output_name"):
        text(known[name])
    if text(known["runtime"]) not in TITLES:
        raise ValueError("the runtime is not known")
    known |= {
        "targets": texts(known["targets"]),
        "profile": Profile.parse(table(known["profile"])),
        "precision": _precision(text(known["precision"])),
        "scale": None if known["scale"] is None else whole(known["scale"], 1),
        "channels": whole(known["channels"], 1),
        "operators": _counts(known["operators"]),
        "layers": None if known["layers"] is None else _counts(known["layers"]),
        "fell_back": texts(known["fell_back"]),
        "build_seconds": seconds(known["build_seconds"]),
        "package_version": text(known["package_version"]),
    }
    return EngineInfo(**known)


def _counts(found: object) -> dict[str, int]:
    return {text(name): whole(count) for name, count in table(found).items()}


def _precision(given: str) -> Precision:
    """Read what `str` writes, bfloat16 of other programs' models included."""
    float_type, _, int8 = given.partition("-")
    if float_type not in get_args(FloatType) or int8 not in ("", "int8"):
        raise ValueError("the precision is not known")
    return Precision(float_type, bool(int8))  # pyright: ignore[reportArgumentType]  (one of the choices)
