"""What an exported file says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from ..shapes import Profile, Span
from .read import read_model

_KEY = "spandrel_aethernet"


@dataclass(frozen=True)
class Metadata:
    """Written as one JSON document under the key `spandrel_aethernet` of the file's metadata."""

    package_version: str
    source: str
    """Name of the checkpoint file, without its folder."""
    source_sha256: str
    variant: str
    layout: str
    """The layout found in the checkpoint, such as `not fused, QAT`."""
    scale: int
    channels: int
    precision: str
    preset: str | None
    """Which operators are INT8 (a key of `PRESETS`), None for a float file."""
    profile: Profile
    input_ranges: Mapping[str, str]
    """Each operator with an int8 input: `learned` or `calibrated`."""
    float_operators: Sequence[str]
    """The convolutions and products of an INT8 file that stay float."""


def describe(metadata: Metadata) -> dict[str, Any]:
    """Return the metadata as a JSON-ready document."""
    spans = {axis: str(span) for axis, span in vars(metadata.profile).items()}
    return {**asdict(metadata), "profile": spans}


def write_metadata(model: onnx.ModelProto, metadata: Metadata) -> None:
    """Add the metadata to a model, in place of what it had under that key."""
    document = describe(metadata)
    kept = {prop.key: prop.value for prop in model.metadata_props if prop.key != _KEY}
    onnx.helper.set_model_props(model, {**kept, _KEY: json.dumps(document)})


def read_metadata(path: Path) -> Metadata | None:
    """Return the metadata of an ONNX file, or None for one that this package did not write.

    Raises `OnnxError` (see `read_model`).
    """
    model = read_model(path)
    document: dict[str, Any] | None = next(
        (json.loads(prop.value) for prop in model.metadata_props if prop.key == _KEY), None
    )
    if document is None:
        return None
    spans: dict[str, Span] = {axis: Span.parse(text, axis) for axis, text in document["profile"].items()}
    fields: dict[str, Any] = {**document, "profile": Profile(**spans)}
    return Metadata(**fields)
