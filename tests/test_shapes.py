"""Ranges of sizes, optimization profiles, precisions, shapes as text."""

from __future__ import annotations

from typing import Any

import pytest

from spandrel_aethernet import ArgumentError, Precision, Profile, Range
from spandrel_aethernet.precision import EXPORTED
from spandrel_aethernet.shapes import shape_text


@pytest.mark.parametrize(
    ("text", "sizes"), [("1:2:3", (1, 2, 3)), ("64", (64, 64, 64)), ("5:5:9", (5, 5, 9))]
)
def test_ranges_are_read_and_written(text: str, sizes: tuple[int, int, int]) -> None:
    parsed = Range.parse(text, "height")
    assert parsed == Range(*sizes)
    assert Range.parse(str(parsed), "height") == parsed
    assert parsed.fixed == (len(set(sizes)) == 1)


@pytest.mark.parametrize("text", ["", "1:2", "0:1:2", "3:2:4", "1:5:4", "a:b:c", "1:2:3:4", "-1"])
def test_other_texts_are_refused_with_the_axis(text: str) -> None:
    with pytest.raises(ArgumentError, match=r"^height '.*' is no profile: expected MIN:OPT:MAX"):
        Range.parse(text, "height")


def test_a_profile_gives_shapes_and_open_axes() -> None:
    profile = Profile(batch=Range.only(2), width=Range(16, 32, 64))
    assert profile.shapes(3) == [[2, 3, 32, 16], [2, 3, 256, 32], [2, 3, 1080, 64]]
    assert profile.dynamic() == {"height": Range(32, 256, 1080), "width": Range(16, 32, 64)}
    assert profile.describe() == {"batch": "2:2:2", "height": "32:256:1080", "width": "16:32:64"}


@pytest.mark.parametrize(
    ("shape", "text"), [((1, 3, None, "width"), "1×3×any×width"), ((), "()"), ((7,), "7")]
)
def test_shapes_as_text(shape: tuple[Any, ...], text: str) -> None:
    assert shape_text(shape) == text


def test_shapes_as_tensorrt_spells_them() -> None:
    assert shape_text((1, 3, 32, 32), by="x") == "1x3x32x32"


@pytest.mark.parametrize("precision", EXPORTED, ids=str)
def test_precisions_are_read_and_written(precision: Precision) -> None:
    assert Precision.parse(str(precision)) is precision
    assert Precision.parse(precision) is precision
    assert precision.file_stem == str(precision).replace("-", "_")
    assert precision.int8 == ("int8" in str(precision))


@pytest.mark.parametrize("given", ["bf16", "int8", "FP16", Precision("bf16"), Precision("bf16", int8=True)])
def test_other_precisions_are_refused_with_the_choices(given: str | Precision) -> None:
    with pytest.raises(ArgumentError, match="expected one of fp32, fp16, fp32-int8, fp16-int8"):
        Precision.parse(given)
