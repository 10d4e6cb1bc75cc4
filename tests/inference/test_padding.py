"""Tensores of any size through networks that take only some."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spandrel_aethernet.errors import AetherError, EngineError
from spandrel_aethernet.inference.padding import Accepted, Limits, run_padded
from spandrel_aethernet.inference.pytorch import PyTorchBackend

from ..artifacts import TINY
from ..conftest import make_network


class Choosy:
    """A network that runs what is accepted and nothing else, and remembers which shapes it was given."""

    def __init__(self, accepted: Accepted) -> None:
        self.accepted, self.shapes = accepted, list[tuple[int, ...]]()
        self.network = PyTorchBackend(make_network(**TINY), torch.device("cpu"), torch.float32)

    def run(self, batch: Tensor) -> Tensor:
        axes = self.accepted.batch, self.accepted.height, self.accepted.width
        for axis, size in zip(axes, (batch.shape[0], *batch.shape[2:]), strict=True):
            assert axis.min <= size <= (axis.max or size)
        self.shapes.append(tuple(batch.shape))
        return self.network.forward(batch)

    def __call__(self, batch: Tensor) -> Tensor:
        return run_padded(self.run, batch, self.accepted, scale=2, refuse=EngineError)


def random_batch(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).random(shape, dtype=np.float32))


PROFILE = Accepted(Limits(1, 4), Limits(16, 40), Limits(24, 64))


@pytest.mark.parametrize(("count", "parts"), [(1, [1]), (4, [4]), (5, [4, 1]), (11, [4, 4, 3])], ids=str)
def test_more_than_a_batch_goes_through_in_parts_and_in_order(count: int, parts: list[int]) -> None:
    choosy, batch = Choosy(PROFILE), random_batch(count, 3, 20, 24)
    output = choosy(batch)
    assert [shape[0] for shape in choosy.shapes] == parts
    one_by_one = [choosy.network.forward(batch[index : index + 1]) for index in range(count)]
    assert torch.allclose(output, torch.cat(one_by_one), atol=1e-5)


@pytest.mark.parametrize(("size", "padded"), [((16, 24), (16, 24)), ((5, 30), (16, 30)), ((30, 1), (30, 24))])
def test_what_is_too_small_is_padded_by_its_edge_and_cropped(
    size: tuple[int, int], padded: tuple[int, int]
) -> None:
    choosy, batch = Choosy(PROFILE), random_batch(2, 3, *size)
    output = choosy(batch)
    assert choosy.shapes == [(2, 3, *padded)]
    rows, columns = padded[0] - size[0], padded[1] - size[1]
    whole = choosy.network.forward(F.pad(batch, (0, columns, 0, rows), mode="replicate"))
    assert torch.equal(output, whole[:, :, : 2 * size[0], : 2 * size[1]])


def test_a_batch_that_is_too_small_is_filled_up() -> None:
    choosy, batch = Choosy(Accepted(batch=Limits(3, 4))), random_batch(5, 3, 16, 16)
    output = choosy(batch)
    assert [shape[0] for shape in choosy.shapes] == [4, 3]
    assert torch.allclose(output, choosy.network.forward(batch), atol=1e-5)


@pytest.mark.parametrize(
    ("accepted", "text", "tile"),
    [
        (Accepted(), "any size", None),
        (Accepted(height=Limits.only(24)), "24×any only", 24),
        (Accepted(Limits(), Limits.only(24), Limits.only(20)), "24×20 only", 20),
        (PROFILE, "16×24 to 40×64", 40),
        (Accepted(width=Limits(8, 64)), "1×8 to any×64", 64),
    ],
)
def test_limits_are_said(accepted: Accepted, text: str, tile: int | None) -> None:
    assert (str(accepted), accepted.largest_tile) == (text, tile)


@pytest.mark.parametrize("size", [(41, 30), (30, 65)])
def test_what_is_too_large_is_refused(size: tuple[int, int]) -> None:
    choosy = Choosy(PROFILE)
    height, width = size
    message = f"takes 16×24 to 40×64 and was given {height}×{width}: give tile=40$"
    with pytest.raises(EngineError, match=message):
        choosy(random_batch(1, 3, height, width))
    assert choosy.shapes == []


def test_an_output_of_another_scale_is_refused() -> None:
    with pytest.raises(AetherError, match="made 1×3×48×48 of 1×3×16×16: expected 1×3×32×32"):
        run_padded(
            lambda batch: batch.repeat_interleave(3, 2).repeat_interleave(3, 3),
            random_batch(1, 3, 16, 16),
            Accepted(),
            scale=2,
            refuse=AetherError,
        )
