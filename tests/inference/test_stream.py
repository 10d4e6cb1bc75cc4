"""Many images through one backend: order, batches across images, and errors that stay with their image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from spandrel_aethernet.errors import AetherError, ImageError
from spandrel_aethernet.inference.stream import upscale_pixels, upscale_stream

from ..images.pictures import kind_of_picture, photograph
from .backends import Repeat


def larger(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


def test_small_images_of_one_size_share_batches_and_come_back_in_order() -> None:
    backend = Repeat(max_batch=4)
    images = [photograph(10 + 2 * (index == 6), 12, name="coffee") + np.uint8(index) for index in range(9)]
    made = list(upscale_stream(backend, list(enumerate(images)), tile=20, overlap=2))
    assert [key for key, _ in made] == list(range(9))
    for (_, result), image in zip(made, images, strict=True):
        assert isinstance(result, np.ndarray)
        assert np.array_equal(result, larger(image))
    assert [shape[0] for shape in backend.shapes] == [4, 2, 1, 2]


def test_depths_and_channels_are_not_mixed() -> None:
    backend = Repeat(max_batch=8)
    images = [kind_of_picture(kind, 9, 9) for kind in ("rgb8", "rgb16", "rgb8", "grey8", "rgba8")]
    made = list(upscale_stream(backend, list(enumerate(images)), tile=20, overlap=2))
    for (_, result), image in zip(made, images, strict=True):
        assert isinstance(result, np.ndarray)
        assert result.dtype == image.dtype
        assert np.array_equal(result, larger(image))


def test_an_image_is_asked_for_only_when_those_before_are_with_the_backend() -> None:
    backend, asked = Repeat(), list[int]()

    def images() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for index in range(6):
            asked.append(len(backend.shapes))
            yield index, photograph(8, 8)

    for index, _ in upscale_stream(backend, images(), tile=20, overlap=2):
        assert len(backend.shapes) <= index + 2, "one ahead of what has come"
    assert asked == list(range(6))


class Failing(Repeat):
    """Cannot take what is black."""

    def forward(self, batch: Tensor) -> Tensor:
        if any(float(item.max()) == 0 for item in batch):
            raise AetherError("it is black")
        return super().forward(batch)


@pytest.mark.parametrize("max_batch", [1, 2, 4, 16])
def test_an_error_stays_with_its_image(max_batch: int) -> None:
    good, black = photograph(30, 12), np.zeros((30, 12, 3), np.uint8)
    images = list(enumerate([good, black, good, good, black]))
    made = list(upscale_stream(Failing(max_batch=max_batch), images, tile=20, overlap=2))
    assert [isinstance(result, AetherError) for _, result in made] == [False, True, False, False, True]
    assert all(np.array_equal(result, larger(good)) for _, result in made if isinstance(result, np.ndarray))


def test_what_is_no_image_comes_back_in_its_turn() -> None:
    images = [("a", photograph(8, 8)[:, :, :2]), ("b", None), ("c", photograph(8, 8))]
    made = dict(upscale_stream(Repeat(channels=2), images, tile=20, overlap=2))
    assert list(made) == ["a", "b", "c"]
    assert made["b"] is None
    assert isinstance(made["c"], ImageError)


def test_an_output_that_is_not_finite_is_an_error() -> None:
    class Infinite(Repeat):
        def forward(self, batch: Tensor) -> Tensor:
            return super().forward(batch) / 0

    with pytest.raises(AetherError, match="not finite"):
        upscale_pixels(Infinite(), photograph(8, 8), tile=20, overlap=2)
