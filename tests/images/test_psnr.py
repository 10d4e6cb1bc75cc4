"""The peak signal-to-noise ratio against its textbook definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spandrel_aethernet import ArgumentError
from spandrel_aethernet.images.psnr import psnr


def test_one_step_of_uint8_everywhere_is_48_decibels() -> None:
    image = np.full((5, 7, 3), 100, np.uint8)
    assert psnr(image + np.uint8(1), image, peak=255) == pytest.approx(20 * math.log10(255))


def test_unsigned_differences_do_not_wrap() -> None:
    low, high = np.zeros((4, 4, 1), np.uint8), np.full((4, 4, 1), 255, np.uint8)
    assert psnr(low, high, peak=255) == psnr(high, low, peak=255) == 0


def test_half_precision_is_averaged_in_double() -> None:
    output, expected = np.full((1, 3, 4, 4), 0.5, np.float16), np.full((1, 3, 4, 4), 0.6, np.float32)
    assert psnr(output, expected, peak=1) == pytest.approx(20, abs=1e-4)


def test_equal_images_give_infinity() -> None:
    image = np.ones((2, 2, 3), np.uint16)
    assert psnr(image, image, peak=65535) == math.inf


def test_one_that_is_not_a_number_gives_none() -> None:
    image = np.ones((2, 2), np.float32)
    broken = np.array([[np.nan, 1], [1, 1]], np.float32)
    assert math.isnan(psnr(broken, image, peak=1))


def test_images_of_two_sizes_are_not_compared() -> None:
    with pytest.raises(ArgumentError, match="images of 2×2×3 and 2×2×1: expected one shape"):
        psnr(np.ones((2, 2, 3)), np.ones((2, 2, 1)), peak=1)
