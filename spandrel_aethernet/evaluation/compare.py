"""Quality and speed of several models on the same images, in one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, missing_extras
from ..inference.open import OpenModel
from ..inference.stream import upscale_pixels
from ..inference.tiling import choose_tiles
from ..progress import SILENT, Progress
from .figures import side_by_side
from .metrics import psnr_inside, worst_window
from .pairs import Pair, PairFiles, read_pair
from .results import Comparison, ImageResult, ModelResult, WorstCrop
from .turns import take_turns

BORDER = 2
"""Pixels on each side of an image that PSNR and SSIM against the original leave out."""
CROP = 128
ZOOM = 3
_LABEL_LENGTH = 30


def compare_models(
    models: Sequence[OpenModel],
    files: Sequence[PairFiles],
    *,
    repeats: int = 3,
    progress: Progress = SILENT,
) -> Comparison:
    """Upscale every image with every model and measure quality and time.

    The models take turns on each image. Each runs `repeats` times an image, after one pass over a tile of the
    first that is not counted; `progress` begins one step of as many parts. A time covers the tiles and the
    conversion to and from integers, not the files. Raises `ArgumentError` if the models are not of one scale
    and channel count, `MissingPackageError` if scikit-image is not installed, and `ImageError`.
    """
    check_alike(models)
    similarity = _structural_similarity()
    scale = models[0].backend.scale
    tile, overlap = min(choose_tiles(model.backend) for model in models)
    progress.begin("comparing", len(models) * (len(files) * repeats + 1))
    results: list[list[ImageResult]] = [[] for _ in models]
    worst: dict[int, WorstCrop] = {}

    def passes(pixels: NDArray[np.uint8]) -> list[partial[NDArray[np.uint8]]]:
        return [partial(upscale_pixels, one.backend, pixels, tile=tile, overlap=overlap) for one in models]

    for number, pair in enumerate(read_pair(item, scale) for item in files):
        if number == 0:
            take_turns(passes(pair.small[:tile, :tile]), repeats=1, progress=progress)
        turns = take_turns(passes(pair.small), repeats=repeats, progress=progress)
        outputs = [own[0].result for own in turns]
        for index, output in enumerate(outputs):
            seconds = statistics.median(turn.seconds for turn in turns[index])
            results[index].append(_measured(pair, output, outputs[0], seconds, similarity))
            names = models[0].path.name, models[index].path.name
            crop = _worst_crop(pair, output, outputs[0] if index else None, names)
            worst[index] = max(worst.get(index, crop), crop, key=lambda one: one.error)
    found = [
        ModelResult(model.path, model.description, results[index], worst[index])
        for index, model in enumerate(models)
    ]
    return Comparison(scale, tile, overlap, repeats, found)


def check_alike(models: Sequence[OpenModel]) -> None:
    """Raise `ArgumentError` if the models are not all of one scale and channel count."""
    check_same([(str(one.path), one.backend.scale, one.backend.channels) for one in models])


def check_same(models: Sequence[tuple[str, int, int]]) -> None:
    """Raise `ArgumentError` if models, each with name, scale and channel count, differ in one of both."""
    name, *expected = models[0]
    for other, *found in models[1:]:
        for what, ours, theirs in zip(("scale", "channels"), expected, found, strict=True):
            if ours != theirs:
                raise ArgumentError(
                    f"{other} has {what} {theirs} and {name} {ours}: "
                    "only models of one scale and one channel count can be compared"
                )


def worst_picture(comparison: Comparison) -> NDArray[np.uint8]:
    """Draw one row a model, H x W x 3: its worst crop, what that is compared with, and the original.

    The first model is compared with the original (its row shows the input too), all others with the
    first model.
    """
    rows = [side_by_side(result.worst.panels, zoom=ZOOM) for result in comparison.models]
    return np.concatenate(rows, axis=0)


def _measured(
    pair: Pair,
    output: NDArray[np.uint8],
    first: NDArray[np.uint8],
    seconds: float,
    similarity: Callable[..., float],
) -> ImageResult:
    inner = slice(BORDER, -BORDER)
    # The window and weights that the paper on SSIM defines.
    ssim = similarity(
        pair.original[inner, inner],
        output[inner, inner],
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return ImageResult(
        image=pair.name,
        psnr=psnr_inside(output, pair.original, border=BORDER),
        ssim=float(ssim),
        difference_psnr=psnr_inside(output, first, border=0),
        largest_difference=int(np.abs(output.astype(np.int16) - first).max()),
        seconds=seconds,
    )


def _worst_crop(
    pair: Pair, output: NDArray[np.uint8], first: NDArray[np.uint8] | None, names: tuple[str, str]
) -> WorstCrop:
    """Crop where an output is farthest from the first model's, or from the original where that is None."""
    window = worst_window(output, pair.original if first is None else first, CROP)
    scale = pair.original.shape[0] // pair.small.shape[0]
    between = pair.small.repeat(scale, axis=0).repeat(scale, axis=1) if first is None else first
    labels = pair.name, "input" if first is None else names[0], names[1]
    images = pair.original, between, output
    panels = [(_label(text), _whole(window.of(image))) for text, image in zip(labels, images, strict=True)]
    return WorstCrop(pair.name, window.error, panels)


def _whole(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill a crop of a small image up with white, so that all panels are of one size."""
    missing = [(0, CROP - side) for side in crop.shape[:2]]
    return np.pad(crop, (*missing, (0, 0)), constant_values=255)


def _label(text: str) -> str:
    """Shorten a file name to a panel's width, in letters that every font of Pillow's has."""
    text = text.encode("ascii", "replace").decode()
    half = _LABEL_LENGTH // 2 - 1
    return text if len(text) <= _LABEL_LENGTH else f"{text[:half]}..{text[-half:]}"


def _structural_similarity() -> Callable[..., float]:
    with missing_extras():
        from skimage import metrics
    library: Any = metrics
    return library.structural_similarity
