"""What an exported model says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from ..errors import OnnxError
from ..gate.documents import parse_json
from ..gate.values import table, text, texts, whole
from ..precision import Precision
from ..shapes import Profile
from .budget_table import BudgetTable

if TYPE_CHECKING:
    from onnx import ModelProto

FROM_QAT, CALIBRATED = "learned", "calibrated"
SOURCE_TEXTS = {FROM_QAT: "from QAT", CALIBRATED: "calibrated"}
"""How files say where the range of an int8 input is from."""
IO_TYPES = (None, "fp32")
"""What input and output can be asked to be; None is the float type of the model."""

_KEY = "spandrel_aethernet"
_FORMAT = 1


@dataclass(frozen=True)
class Metadata:
    """Written as one JSON document under the key `spandrel_aethernet` of the model's metadata."""

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
    """Which operators are INT8 (a key of `PRESETS`), None for a float model."""
    profile: Profile
    input_ranges: Mapping[str, str]
    """Each operator with an int8 input: `FROM_QAT` or `CALIBRATED`."""
    float_operators: Sequence[str]
    """The convolutions and products of an INT8 model that stay float."""
    io: str | None = None
    """The type of input and output where casts make it another than the model's; not in every file."""
    budget: BudgetTable | None = None
    """What a budget chose and why; None without one."""


def describe(metadata: Metadata) -> dict[str, Any]:
    """Return the metadata as a JSON-ready document, without the number of the format."""
    return {**asdict(metadata), "profile": metadata.profile.describe()}


def write_metadata(model: ModelProto, metadata: Metadata) -> None:
    """Add the metadata to `model` itself, in place of what it had under that key."""
    from onnx.helper import set_model_props

    document = {"format": _FORMAT, **describe(metadata)}
    kept = {prop.key: prop.value for prop in model.metadata_props if prop.key != _KEY}
    set_model_props(model, {**kept, _KEY: json.dumps(document)})


def read_metadata(model: ModelProto) -> Metadata | None:
    """Return a model's metadata, or None for a model that this package did not write.

    Unknown keys are ignored. Raises `OnnxError` for metadata that are damaged, or lack a key, which is named.
    """
    try:
        found = next((prop.value for prop in model.metadata_props if prop.key == _KEY), None)
        return None if found is None else _parse(table(parse_json(found)))
    except KeyError as error:
        raise OnnxError(f"the metadata {_KEY} lack {error.args[0]}: export the model again") from error
    except ValueError as error:  # ArgumentError among them
        raise OnnxError(f"the metadata {_KEY} are damaged: export the model again") from error


def _parse(document: Mapping[str, Any]) -> Metadata:
    """Build metadata of a document, which may hold more. Raises KeyError and ValueError."""
    keys = [field.name for field in fields(Metadata) if field.name not in ("io", "budget")]
    known: dict[str, Any] = {key: document[key] for key in keys}
    for name in ("package_version", "source", "source_sha256", "variant", "layout"):
        text(known[name])
    known["scale"], known["channels"] = (whole(known[name], 1) for name in ("scale", "channels"))
    known["precision"] = str(Precision.parse(text(known["precision"])))
    known["io"] = document.get("io")
    if known["io"] not in IO_TYPES:
        raise ValueError("the type of input and output is not known")
    budget = document.get("budget")
    known["budget"] = None if budget is None else BudgetTable.parse(table(budget))
    known["preset"] = None if known["preset"] is None else text(known["preset"])
    known["profile"] = Profile.parse(table(known["profile"]))
    ranges = table(known["input_ranges"])
    if not {text(source) for source in ranges.values()} <= {*SOURCE_TEXTS}:
        raise ValueError("an input's range is of no known source")
    texts([*ranges])
    known["float_operators"] = [*texts(known["float_operators"])]
    return Metadata(**known)
