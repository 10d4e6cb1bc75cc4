"""Pixels of every kind through networks of every channel count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spandrel_aethernet.errors import ImageError
from spandrel_aethernet.images.channels import feed_for, from_network, to_network


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("network_channels", [1, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_come_back_through_every_network(channels: int, network_channels: int, dtype: Any) -> None:
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    pixels = (np.random.default_rng(0).random((5, 6, channels)) * white).astype(dtype)
    feed = feed_for(channels, network_channels)
    batch = to_network(pixels, feed)
    assert (batch.dtype, batch.shape) == (np.float32, (len(feed), network_channels, 5, 6))
    assert float(batch.min()) >= 0
    assert 0.5 < float(batch.max()) <= 1
    again = from_network(batch, feed, pixels.dtype)
    assert again.dtype == pixels.dtype
    assert np.allclose(again, pixels, rtol=0, atol=1e-6 if dtype == np.float32 else 0)


def test_an_rgba_network_sees_an_opaque_image_where_there_is_no_alpha() -> None:
    batch = to_network(np.zeros((2, 2, 3), np.uint8), feed_for(3, 4))
    assert np.array_equal(batch[0, 3], np.ones((2, 2)))


@pytest.mark.parametrize(("dtype", "expected"), [(np.uint8, [0, 128, 255]), (np.float32, [0, 0.5, 1])])
def test_what_leaves_the_range_is_clamped(dtype: Any, expected: list[float]) -> None:
    output = np.array([-0.2, 0.5, 1.3], np.float32).reshape(1, 1, 1, 3)
    assert from_network(output, [[0]], np.dtype(dtype)).flatten().tolist() == expected


def test_channels_that_fit_nothing_are_refused() -> None:
    with pytest.raises(ImageError, match="the network takes 5 channels and the image has 3"):
        feed_for(3, 5)
