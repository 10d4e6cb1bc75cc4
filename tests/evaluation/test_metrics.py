"""How near images are: PSNR with and without their border, and where they differ most."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spandrel_aethernet.errors import ArgumentError
from spandrel_aethernet.evaluation.metrics import psnr_inside, worst_window


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_psnr_is_against_the_whole_range_of_the_dtype(dtype: type[np.integer]) -> None:
    top = int(np.iinfo(dtype).max)
    black, white = np.zeros((9, 9, 3), dtype), np.full((9, 9, 3), top, dtype)
    assert psnr_inside(white, black) == psnr_inside(black, white) == 0, "differences of unsigned do not wrap"
    grey = np.full((9, 9, 3), 10, dtype)
    assert psnr_inside(grey, black) == pytest.approx(20 * math.log10(top / 10))
    assert psnr_inside(black, black) == math.inf


def test_psnr_leaves_two_pixels_of_border_out() -> None:
    image, other = np.zeros((2, 12, 15, 3), np.uint8)
    other[:2], other[-2:], other[:, :2], other[:, -2:] = 255, 255, 255, 255
    assert psnr_inside(image, other) == math.inf
    assert psnr_inside(image, other, border=1) < 20
    changed = int((other[:, :, 0] == 255).sum())
    assert psnr_inside(image, other, border=0) == pytest.approx(10 * math.log10(12 * 15 / changed))


def test_psnr_of_two_shapes_is_refused() -> None:
    with pytest.raises(ArgumentError, match="8×8×3 and 8×9×3"):
        psnr_inside(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8), border=0)


def test_the_worst_window_holds_most_of_the_difference() -> None:
    image, other = np.zeros((2, 50, 70, 3), np.uint8)
    other[5, 5] = 60
    other[40:44, 61:65] = 20
    window = worst_window(image, other, 8)
    assert window.rows.start <= 40
    assert window.rows.stop >= 44
    assert window.columns.start <= 61
    assert window.columns.stop >= 65
    assert window.error == pytest.approx(16 * 400 / 64)
    crop = window.of(other)
    assert crop.shape == (8, 8, 3)
    other[:] = 0
    assert crop.max() == 20, "a copy, so that the rest of the image need not be kept"


def test_a_window_is_no_larger_than_the_image() -> None:
    image, other = np.zeros((2, 5, 70, 3), np.uint8)
    window = worst_window(image, other, 8)
    assert (window.rows, window.columns, window.error) == (slice(0, 5), slice(0, 8), 0)
