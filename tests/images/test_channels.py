"""Pixels of every kind through networks of every channel count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spandrel_aethernet.errors import ImageError
from spandrel_aethernet.images.channels import as_array, as_tensor, feed_for, from_network, to_network


def converted(values: NDArray[np.floating], dtype: Any) -> NDArray[Any]:
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("network_channels", [1, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_come_back_through_every_network(channels: int, network_channels: int, dtype: Any) -> None:
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    pixels = converted(np.random.default_rng(0).random((5, 6, channels)) * white, dtype)
    feed = feed_for(channels, network_channels)
    before, sent = np.array(pixels), as_tensor(np.stack([pixels, pixels[::-1]]))
    batch = to_network(sent, feed)
    assert (batch.dtype, batch.shape) == (torch.float32, (2 * len(feed), network_channels, 5, 6))
    assert float(batch.min()) >= 0
    assert 0.5 < float(batch.max()) <= 1
    for output in (batch, batch.contiguous()):
        made, total = from_network(output, feed, sent.dtype)
        again = as_array(made)
        assert torch.isfinite(total)
        assert again.dtype == pixels.dtype
        assert np.allclose(again[0], pixels, rtol=0, atol=1e-6 if dtype == np.float32 else 0)
        assert np.array_equal(again[1], again[0][::-1])
    assert np.array_equal(pixels, before), "what is given stays as it is"


def test_an_rgba_network_sees_an_opaque_image_where_there_is_no_alpha() -> None:
    batch = to_network(as_tensor(np.zeros((1, 2, 2, 3), np.uint8)), feed_for(3, 4))
    assert torch.equal(batch[0, 3], torch.ones(2, 2))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(np.uint8, [0, 128, 0, 1, 255]), (np.uint16, [0, 32768, 128, 129, 65535]), (np.float32, None)],
)
def test_what_leaves_the_range_is_clamped_and_what_is_no_integer_rounded(
    dtype: Any, expected: list[float] | None
) -> None:
    values = [-0.2, 0.5, 0.4999 / 255, 0.5001 / 255, 1.3]
    output = torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, 5)
    made = as_array(from_network(output, [[0]], as_tensor(np.zeros(1, dtype)).dtype)[0]).ravel()
    assert made.dtype == dtype
    assert np.array_equal(made, expected or np.clip(np.array(values, np.float32), 0, 1))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_strip_by_strip_is_as_all_at_once(layout: torch.memory_format, dtype: Any) -> None:
    output = torch.rand((2, 3, 400, 700), generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    made, _ = from_network(
        output.contiguous(memory_format=layout), [[0, 1, 2]], as_tensor(np.zeros(1, dtype)).dtype
    )
    expected = (output.clamp(0, 1) * int(np.iinfo(dtype).max)).round().permute(0, 2, 3, 1)
    assert np.array_equal(as_array(made), converted(expected.numpy(), dtype))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_one_value_that_is_not_finite_is_told(value: float) -> None:
    output = torch.zeros((1, 3, 300, 900))
    output[0, 1, 299, 899] = value
    assert not torch.isfinite(from_network(output, [[0, 1, 2]], torch.uint8)[1])


def test_channels_that_fit_nothing_are_refused() -> None:
    with pytest.raises(ImageError, match="the network takes 5 channels and the image has 3"):
        feed_for(3, 5)
