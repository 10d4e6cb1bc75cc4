"""Tiles: geometry, channels, and that no seam is seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from spandrel_aethernet.data import PHOTOGRAPHS, half_size, original
from spandrel_aethernet.errors import AetherError, ArgumentError, ImageError
from spandrel_aethernet.evaluation.demo import bicubic
from spandrel_aethernet.evaluation.metrics import psnr_inside
from spandrel_aethernet.images.channels import feed_for
from spandrel_aethernet.images.files import read_picture
from spandrel_aethernet.inference.pytorch import PyTorchBackend
from spandrel_aethernet.inference.stream import upscale_pixels
from spandrel_aethernet.inference.tiling import DEFAULT_OVERLAP, choose_tiles, spans, tile_count
from spandrel_aethernet.progress import Silent

from ..conftest import make_network
from ..images.pictures import KINDS, kind_of_picture, photograph
from .backends import Repeat


def cpu(**hyperparameters: object) -> PyTorchBackend:
    return PyTorchBackend(make_network(**hyperparameters), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("overlap", [0, 3, 16])
@pytest.mark.parametrize("length", [1, 40, 64, 65, 97, 200, 1023])
def test_spans_keep_every_pixel_once_with_its_context(length: int, overlap: int, exact: bool) -> None:
    tile = 64
    found = spans(length, tile, overlap, exact=exact)
    assert [s.keep_start for s in found] == [0, *(s.keep_stop for s in found[:-1])]
    assert found[-1].keep_stop == length
    sizes = {span.stop - span.start for span in found}
    assert len(sizes) == 1
    assert max(sizes) == min(tile, length) if exact else max(sizes) <= tile
    for span in found:
        assert span.keep_start < span.keep_stop
        assert span.start == 0 or span.keep_start - span.start >= overlap
        assert span.stop == length or span.stop - span.keep_stop >= overlap


@pytest.mark.parametrize("overlap", [0, 3, 16])
@pytest.mark.parametrize("length", [65, 97, 200, 1023])
def test_an_axis_is_shared_out_among_as_many_tiles_and_hardly_a_pixel_is_seen_too_often(
    length: int, overlap: int
) -> None:
    even, exact = (spans(length, 64, overlap, exact=exact) for exact in (False, True))
    assert len(even) == len(exact)
    needed = length + 2 * overlap * (len(even) - 1)
    seen = sum(span.stop - span.start for span in even)
    assert 0 <= seen - needed < len(even), "less than a pixel for each tile"


def test_a_backend_of_one_tile_size_gets_no_other() -> None:
    free, fixed = Repeat(side=64), Repeat(side=64)
    fixed.one_tile_size = True
    pixels = photograph(65, 90)
    for backend, shape in ((free, (41, 53)), (fixed, (64, 64))):
        output = upscale_pixels(backend, pixels, tile=64, overlap=8)
        assert np.array_equal(output, pixels.repeat(2, axis=0).repeat(2, axis=1))
        assert {size[2:] for size in backend.shapes} == {shape}


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_tiles_that_overlap_by_the_receptive_field_radius_are_exact(scale: int) -> None:
    backend = cpu(scale=scale, depths=(1, 1))
    radius = make_network(scale=scale, depths=(1, 1)).receptive_radius
    pixels = kind_of_picture("rgb16", 71, 90)
    whole = upscale_pixels(backend, pixels, tile=1000)
    tiled = upscale_pixels(backend, pixels, tile=2 * radius + 16, overlap=radius)
    assert tile_count(backend, (71, 90), 2 * radius + 16, radius) > 4
    assert int(np.abs(tiled.astype(int) - whole).max()) <= 1
    short = upscale_pixels(backend, pixels, tile=17, overlap=1)
    assert int(np.abs(short.astype(int) - whole).max()) > 100, "or the comparison proves nothing"


def test_default_overlap_leaves_no_seam_with_the_demo_model(demo_backend: PyTorchBackend) -> None:
    pixels = photograph(128, 128).astype(np.uint16) * 257  # two tiles each way, with just the overlap
    whole = upscale_pixels(demo_backend, pixels, tile=1000)
    tiled = upscale_pixels(demo_backend, pixels, tile=2 * DEFAULT_OVERLAP + 32)
    difference = np.abs(tiled.astype(int) - whole) / 257
    assert float(difference.max()) < 0.1, "of 255, where a half would be one step of an 8-bit image"


@pytest.mark.parametrize("side", [96, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_demo_model_beats_bicubic_in_tiles_too(name: str, side: int, demo_backend: PyTorchBackend) -> None:
    """On the corner of every photograph that comes with the package, and on the whole of it."""
    small = read_picture(half_size(name)).pixels.astype(np.uint8)[-side:, -side:]
    truth = read_picture(original(name)).pixels[-2 * side :, -2 * side :]
    upscaled = upscale_pixels(demo_backend, small, tile=80 if side == 96 else 160)
    assert psnr_inside(upscaled, truth) > psnr_inside(bicubic(small, 2), truth) + 0.5


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_every_image_passes_through_every_network(kind: str, channels: int) -> None:
    """A network that repeats pixels gives back what it was fed: channels cannot be mixed up unseen."""
    pixels = kind_of_picture(kind)
    output = upscale_pixels(Repeat(channels=channels), pixels, tile=20, overlap=2)
    assert output.dtype == pixels.dtype
    assert np.array_equal(output, pixels.repeat(2, axis=0).repeat(2, axis=1))


class Batching(PyTorchBackend):
    """Takes several tiles at once, and remembers of which shape each batch was."""

    def __init__(self, max_batch: int) -> None:
        super().__init__(make_network(), torch.device("cpu"), torch.float32)
        self.max_batch = max_batch
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, batch: Tensor) -> Tensor:
        self.shapes.append(tuple(batch.shape))
        return super().forward(batch)


@pytest.mark.parametrize(
    ("kind", "max_batch", "counts"),
    [
        ("rgb8", 4, [4, 4, 1]),
        ("rgb8", 16, [9]),
        ("rgb16", 4, [4, 4, 1]),
        ("rgba8", 4, [4, 4, 4, 4, 2]),
        ("rgba8", 1, [2] * 9),
    ],
)
def test_tiles_in_batches_give_what_they_give_one_by_one(
    kind: str, max_batch: int, counts: list[int]
) -> None:
    pixels = kind_of_picture(kind, 50, 62)
    one_by_one, batching = Batching(1), Batching(max_batch)
    done: list[int] = []

    class Counted(Silent):
        def advance(self, step: str | None = None) -> None:  # noqa: ARG002
            done.append(len(batching.shapes))

    together = upscale_pixels(batching, pixels, tile=26, overlap=4, progress=Counted())
    alone = upscale_pixels(one_by_one, pixels, tile=26, overlap=4)
    assert [shape[0] for shape in batching.shapes] == counts
    assert {shape[1:] for shape in batching.shapes} == {(3, 22, 26)}
    assert len(done) == len(one_by_one.shapes) == tile_count(batching, (50, 62), 26, 4) == 9
    assert done == sorted(done)
    # Sums of float32 may be taken in another order: a step of 16 bits at most.
    assert int(np.abs(together.astype(int) - alone).max()) <= (1 if pixels.dtype == np.uint16 else 0)


def test_a_batch_is_bounded_by_its_output() -> None:
    many = Repeat(scale=8, max_batch=1000)
    many.one_tile_size = True
    pixels = np.tile(photograph(100, 100), (3, 10, 1))
    output = upscale_pixels(many, pixels, tile=300, overlap=10)
    assert np.array_equal(output, pixels.repeat(8, axis=0).repeat(8, axis=1))
    one = 3 * (8 * 300) ** 2 * 4
    assert [count * one for count, *_ in many.shapes] == [3 * one, one]
    assert 3 * one <= 2**28 < 4 * one, "256 MiB is the limit, and three are most that keep it"


def test_opaque_alpha_stays_opaque_without_a_pass() -> None:
    backend = cpu()
    rgb = kind_of_picture("rgb8")
    rgba = np.concatenate([rgb, np.full_like(rgb[:, :, :1], 255)], axis=2)
    output = upscale_pixels(backend, rgba, tile=128)
    assert np.array_equal(output[:, :, :3], upscale_pixels(backend, rgb, tile=128))
    assert output[:, :, 3].min() == 255


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(ImageError, match="takes 2 channels and the image has 3"):
        feed_for(3, 2)
    message = "a tile of 64 leaves nothing between overlaps of 32: give a tile of more than 64$"
    for side in (8, 80):
        with pytest.raises(ArgumentError, match=message):
            upscale_pixels(cpu(), photograph(side, side), tile=64, overlap=32)
    with pytest.raises(ArgumentError, match="overlap is -1: expected 0 pixels or more"):
        choose_tiles(cpu(), None, -1)


def test_auto_tile_shrinks_with_the_network() -> None:
    small, large = cpu(), cpu(embed_dim=180, scale=8)
    assert 128 <= large.auto_tile() < small.auto_tile() <= 2048
    assert large.auto_tile() % 16 == 0


def test_output_that_is_not_finite_is_no_image() -> None:
    network = make_network()
    network.conv_last.weight.data.fill_(1e30)
    backend = PyTorchBackend(network, torch.device("cpu"), torch.float16)
    with pytest.raises(AetherError, match="not finite: if it ran in float16"):
        upscale_pixels(backend, photograph(8, 8), tile=128)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [((None, None), (48, 12)), ((80, None), (80, 32)), ((64, None), (64, 16)), ((None, 20), (56, 20))],
)
def test_small_tiles_overlap_by_a_quarter(
    asked: tuple[int | None, int | None], chosen: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = cpu()
    monkeypatch.setattr(backend, "auto_tile", lambda: 48)
    assert choose_tiles(backend, *asked) == chosen
