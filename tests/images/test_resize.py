"""Sizes that are asked for, and pixels that get them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spandrel_aethernet.errors import ArgumentError
from spandrel_aethernet.images.channels import white
from spandrel_aethernet.images.resize import MOST_PIXELS_A_SIDE, passes_needed, resized, target_size

from .pictures import KINDS, kind_of_picture

SIDES = st.integers(1, 300)


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({"want_width": 1000}, (1000, 667)),
        ({"want_height": 1}, (1, 1)),
        ({"want_height": 10_000}, (14_988, 10_000)),
        ({"want_width": 5, "want_height": 900}, (5, 900)),
        ({"scale": 1.5}, (960, 641)),
        ({"scale": 2}, (1280, 854)),
        ({"scale": 1e-9}, (1, 1)),
    ],
)
def test_a_size_that_is_asked_for(asked: dict[str, Any], size: tuple[int, int]) -> None:
    assert target_size(640, 427, **asked) == size


@given(SIDES, SIDES, st.integers(1, 10_000))
def test_the_other_side_keeps_the_aspect_ratio(width: int, height: int, wanted: int) -> None:
    made = target_size(width, height, want_width=wanted)
    assert made[0] == wanted
    assert made[1] == 1 or abs(made[1] - height * wanted / width) <= 0.5
    assert target_size(height, width, want_height=wanted) == made[::-1]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "no size is asked for"),
        ({"scale": 2, "want_width": 5}, "contradict each other"),
        ({"scale": 2, "want_height": 5}, "contradict each other"),
        ({"scale": 0}, "scale is 0: expected a number above 0"),
        ({"scale": -1.5}, "scale is -1.5"),
        ({"scale": math.nan}, "scale is nan"),
        ({"scale": math.inf}, "scale is inf"),
        ({"scale": 1e300}, "would be 20000000 pixels: expected 1 to 10000000"),
        ({"want_width": 0}, "the width would be 0 pixels"),
        ({"want_width": -3, "want_height": 5}, "the width would be -3 pixels"),
        ({"want_height": 10_000_001}, "the height would be 10000001 pixels"),
        ({"want_width": 10_000_000}, "the height would be 5000000000 pixels"),
    ],
)
def test_a_size_that_cannot_be_is_said(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        target_size(4, 2000, **asked)


@pytest.mark.parametrize(
    ("target", "scale", "passes"),
    [
        ((20, 40), 2, 1),
        ((21, 40), 2, 2),
        ((20, 81), 2, 3),
        ((5, 9), 2, 1),
        ((10, 20), 4, 1),
        ((160, 320), 4, 2),
        ((100, 20), 1, 1),
    ],
)
def test_how_often_a_network_runs(target: tuple[int, int], scale: int, passes: int) -> None:
    assert passes_needed((10, 20), target, scale) == passes


def test_passes_are_bounded() -> None:
    assert passes_needed((1, 1), (MOST_PIXELS_A_SIDE, 1), 2) == 24


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(31, 20), (13, 20), (31, 45), (47, 7), (1, 1), (90, 90)])
def test_every_kind_keeps_its_type_and_gets_its_size(kind: str, size: tuple[int, int]) -> None:
    pixels = kind_of_picture(kind)
    before = np.array(pixels)
    made = resized(pixels, *size)
    assert (made.shape, made.dtype) == ((size[1], size[0], pixels.shape[2]), pixels.dtype)
    assert np.array_equal(pixels, before)
    assert not np.shares_memory(made, pixels)


@settings(deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.integers(1, 4), st.sampled_from([np.uint8, np.uint16]))
def test_sizes_are_exact_and_one_colour_stays_that(
    width: int, height: int, to_width: int, to_height: int, channels: int, dtype: Any
) -> None:
    colour = (np.array([0.2, 1, 0.7, 1][:channels]) * white(np.dtype(dtype))).astype(dtype)
    made = resized(np.tile(colour, (height, width, 1)), to_width, to_height)
    assert made.shape == (to_height, to_width, channels)
    assert np.array_equal(made, np.broadcast_to(colour, made.shape))


def lanczos(size: int, wanted: int) -> NDArray[np.float64]:
    """Return the `wanted` x `size` matrix of Lanczos with three lobes, the edge repeated."""
    shrink = size / wanted
    weights = np.zeros((wanted, size))
    for row in range(wanted):
        middle = (row + 0.5) * shrink - 0.5
        for at in range(math.floor(middle - 3 * shrink), math.ceil(middle + 3 * shrink) + 1):
            x = (at - middle) / shrink
            if abs(x) < 3:
                weights[row, min(max(at, 0), size - 1)] += np.sinc(x) * np.sinc(x / 3)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", KINDS)
def test_it_reduces_by_lanczos_with_colours_multiplied_by_alpha(kind: str) -> None:
    pixels = kind_of_picture(kind, 40, 60)
    exact, most = pixels / white(pixels.dtype), white(pixels.dtype)
    has_alpha = pixels.shape[2] in (2, 4)
    if has_alpha:
        exact[:, :, :-1] *= exact[:, :, -1:]
    made = np.einsum("yh,hwc,xw->yxc", lanczos(40, 30), exact, lanczos(60, 50))
    visible = np.ones(made.shape[:2], bool)
    if has_alpha:
        visible = made[:, :, -1] > 0.2
        made[visible, :-1] /= made[visible, -1:]
    expected = np.clip(made, 0, 1) * most
    difference = np.abs(resized(pixels, 50, 30) - expected)[visible]
    assert difference.max() < (1.5 if most == 255 else 0.01 * most)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(23, 23), (100, 130), (10, 10), (40, 200)])
def test_a_transparent_edge_does_not_bleed(size: tuple[int, int], dtype: Any) -> None:
    most = np.iinfo(dtype).max
    pixels: NDArray[Any] = np.zeros((64, 64, 4), dtype)
    pixels[:, :32] = (most // 2, most // 4, most, most)
    pixels[:, 32:] = (0, most, 0, 0)
    made = resized(pixels, *size)
    seen = made[made[:, :, 3] > most // 100][:, :3].astype(int)
    assert np.abs(seen - [most // 2, most // 4, most]).max() <= 1
    assert not made[:, -1, 3].any()
    assert (made[:, 0, 3] == most).all()


def test_what_is_opaque_stays_so() -> None:
    pixels = kind_of_picture("rgba16", 40, 60)
    pixels[:, :, 3] = 65535
    for size in ((59, 39), (20, 13), (61, 200)):
        assert (resized(pixels, *size)[:, :, 3] == 65535).all()


def test_pixels_with_any_strides_are_taken() -> None:
    pixels = kind_of_picture("rgb8")
    assert np.array_equal(resized(pixels[::-1, ::-1], 9, 9), resized(np.array(pixels[::-1, ::-1]), 9, 9))


def test_a_side_that_no_image_has_is_refused() -> None:
    with pytest.raises(ArgumentError, match="the width would be 0 pixels"):
        resized(kind_of_picture("rgb8"), 0, 5)
