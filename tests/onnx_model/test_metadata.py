"""What an exported model says of itself, written and read again."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from onnx import ModelProto, helper

from spandrel_aethernet.errors import OnnxError
from spandrel_aethernet.onnx_model.metadata import (
    CALIBRATED,
    FROM_QAT,
    Metadata,
    read_metadata,
    write_metadata,
)
from spandrel_aethernet.shapes import Profile, Range

KEY = "spandrel_aethernet"
METADATA = Metadata(
    package_version="0.1.0",
    source="a.pth",
    source_sha256="00",
    variant="small",
    layout="not fused, QAT",
    scale=2,
    channels=3,
    precision="fp32-int8",
    preset="tensorrt",
    profile=Profile(height=Range.only(64)),
    input_ranges={"a": FROM_QAT, "b": CALIBRATED},
    float_operators=["c"],
)


def with_document(document: object) -> ModelProto:
    model = ModelProto()
    helper.set_model_props(model, {KEY: json.dumps(document)})
    return model


@pytest.fixture
def document() -> dict[str, Any]:
    """What is written into a file."""
    model = ModelProto()
    write_metadata(model, METADATA)
    (prop,) = model.metadata_props
    return json.loads(prop.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scale", "2"),
        ("scale", 0),
        ("scale", True),
        ("channels", 2**31),
        ("channels", 3.0),
        ("precision", "fp12"),
        ("precision", None),
        ("preset", 1),
        ("source", ["a.pth"]),
        ("variant", "\ud800"),
        ("input_ranges", {"a": "guessed"}),
        ("input_ranges", {"a": [1]}),
        ("input_ranges", ["a"]),
        ("float_operators", "c"),
        ("float_operators", [1]),
        ("profile", {"batch": 1, "height": "1", "width": "1"}),
        ("profile", {"batch": "1", "height": "1", "width": "99999999999"}),
        ("profile", "1"),
        ("io", "fp64"),
        ("io", ["fp32"]),
    ],
)
def test_a_value_of_another_type_or_range_is_damage(
    key: str, value: object, document: dict[str, Any]
) -> None:
    with pytest.raises(
        OnnxError, match="the metadata spandrel_aethernet are damaged: export the model again"
    ):
        read_metadata(with_document({**document, key: value}))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"scale": NaN}', '{"scale": 1e999}', "9" * 5000])
def test_a_document_that_is_none_is_damage(text: str) -> None:
    model = ModelProto()
    helper.set_model_props(model, {KEY: text})
    with pytest.raises(OnnxError, match="are damaged"):
        read_metadata(model)


def test_metadata_survive_a_round_trip() -> None:
    model = ModelProto()
    write_metadata(model, METADATA)
    assert read_metadata(model) == METADATA


def test_the_format_comes_first_and_ranges_keep_the_words_of_published_files(
    document: dict[str, Any],
) -> None:
    assert next(iter(document.items())) == ("format", 1)
    assert document["input_ranges"] == {"a": "learned", "b": "calibrated"}
    assert document["profile"] == {"batch": "1:1:16", "height": "64:64:64", "width": "32:256:1920"}


def test_metadata_of_others_stay_and_ours_are_replaced() -> None:
    model = with_document("old")
    model.metadata_props.add(key="author", value="somebody")
    write_metadata(model, METADATA)
    assert {prop.key for prop in model.metadata_props} == {"author", KEY}
    assert read_metadata(model) == METADATA


def test_a_model_of_others_has_none() -> None:
    assert read_metadata(ModelProto()) is None


def test_a_document_without_a_format_and_with_unknown_keys_is_read(document: dict[str, Any]) -> None:
    del document["format"]
    assert read_metadata(with_document(document | {"later": 1})) == METADATA


@pytest.mark.parametrize(
    "key", [field.name for field in fields(Metadata) if field.name not in ("io", "budget")]
)
def test_a_missing_key_is_named(key: str, document: dict[str, Any]) -> None:
    del document[key]
    with pytest.raises(OnnxError, match=f"lack {key}:"):
        read_metadata(with_document(document))


def test_files_tell_of_casts_at_their_ends_and_older_ones_have_none(document: dict[str, Any]) -> None:
    model = with_document(document | {"io": "fp32"})
    found = read_metadata(model)
    assert found is not None
    assert found.io == "fp32"
    del document["io"]
    assert read_metadata(with_document(document)) == METADATA


@pytest.mark.parametrize("axis", [field.name for field in fields(Profile)])
def test_a_missing_axis_is_named(axis: str, document: dict[str, Any]) -> None:
    del document["profile"][axis]
    with pytest.raises(OnnxError, match=f"lack {axis}:"):
        read_metadata(with_document(document))


@pytest.mark.parametrize("damaged", ["text", 3, [1]])
def test_what_is_not_an_object_is_damage(damaged: object) -> None:
    with pytest.raises(OnnxError, match="damaged"):
        read_metadata(with_document(damaged))


@pytest.mark.parametrize("profile", ["64", {"batch": "1", "height": "9:1:2", "width": "64"}])
def test_a_damaged_profile_is_damage(profile: object, document: dict[str, Any]) -> None:
    with pytest.raises(OnnxError, match="damaged"):
        read_metadata(with_document(document | {"profile": profile}))


def test_what_is_not_json_is_damage() -> None:
    model = ModelProto()
    helper.set_model_props(model, {KEY: "{"})
    with pytest.raises(OnnxError, match="damaged"):
        read_metadata(model)
