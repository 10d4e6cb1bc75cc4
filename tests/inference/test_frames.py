"""Frames in order through a network that works beside those that decode and encode."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from spandrel_aethernet.errors import AetherError
from spandrel_aethernet.images.resize import Size
from spandrel_aethernet.inference.frames import FrameOptions, Frames

from ..images.pictures import photograph
from .backends import Repeat


def frames(count: int, depth: int = 8) -> list[NDArray[np.uint8 | np.uint16]]:
    base = photograph(20, 30) // 2
    return [
        (base + n).astype(np.uint8) if depth == 8 else base.astype(np.uint16) * 300 + n for n in range(count)
    ]


@pytest.mark.parametrize("max_batch", [1, 3])
@pytest.mark.parametrize("depth", [8, 16])
def test_frames_come_back_larger_and_in_order(depth: int, max_batch: int) -> None:
    given = frames(11, depth)
    made = list(Frames(Repeat(max_batch=max_batch), FrameOptions())(iter(given)))
    assert len(made) == 11
    for one, frame in zip(made, given, strict=True):
        assert one.dtype == frame.dtype
        assert np.array_equal(one, frame.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize(
    ("size", "shape"), [(Size(height=30), (30, 46)), (Size(width=99), (66, 99)), (Size(scale=1.5), (30, 46))]
)
def test_frames_have_the_size_that_is_asked_for(size: Size, shape: tuple[int, int]) -> None:
    options = FrameOptions(size=size)
    assert options.size_of(30, 20, 2, even=True) == shape[::-1]
    assert {frame.shape for frame in Frames(Repeat(), options)(iter(frames(3)))} == {(*shape, 3)}


def test_frames_are_taken_a_few_ahead_and_no_more() -> None:
    taken = 0

    def many() -> Iterator[NDArray[np.uint8 | np.uint16]]:
        nonlocal taken
        for frame in frames(1) * 1000:
            taken += 1
            yield frame

    enlarged = Frames(Repeat(), FrameOptions())(many())
    for _ in range(50):
        next(enlarged)
    assert 50 <= taken <= 50 + 20
    enlarged.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_what_the_network_and_the_source_raise_comes_through() -> None:
    class Broken(Repeat):
        def forward(self, batch: Tensor) -> Tensor:
            raise AetherError(f"broken at {batch.shape[0]}")

    def cut_short() -> Iterator[NDArray[np.uint8 | np.uint16]]:
        yield from frames(2)
        raise EOFError("cut short")

    with pytest.raises(AetherError, match="broken"):
        list(Frames(Broken(), FrameOptions())(iter(frames(3))))
    with pytest.raises(EOFError, match="cut short"):
        list(Frames(Repeat(), FrameOptions())(cut_short()))
