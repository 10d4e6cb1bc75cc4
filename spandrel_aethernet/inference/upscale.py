"""Upscaling an image in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from spandrel import ImageModelDescriptor

from ..errors import ArgumentError, Hint, ImageError
from ..model.base import AetherBase
from ..progress import SILENT, Progress
from ..shapes import shape_text
from .backend import Backend, Sample
from .open import open_model
from .pytorch import PyTorchBackend, choose_device, choose_dtype
from .stream import upscale_pixels
from .tiling import choose_tiles, tile_count

Model: TypeAlias = str | Path | AetherBase | ImageModelDescriptor[Any] | Backend
"""Whatever can upscale: the path of a model file, a network, a descriptor, a backend that is loaded."""

_DTYPES = ("uint8", "uint16", "float32")


def upscale(
    image: NDArray[Sample],
    model: Model,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust: bool = False,
    progress: Progress = SILENT,
) -> NDArray[Sample]:
    """Return an image enlarged by a model: H x W x C or H x W, uint8, uint16, or float32 with values 0..1.

        model = spandrel_aethernet.load_model("aether_small_2x.pth")
        larger = spandrel_aethernet.upscale(image, model)

    The result has the dtype and the axes of `image`, which stays as it is, H·scale x W·scale, and values
    clamped to the range of the dtype; floats are never rounded to integers. C is 1 (grey), 2 (grey, alpha),
    3 (RGB) or 4 (RGB, alpha), or the network's own channel count. `model` is a network or a descriptor, the
    path of a checkpoint, an ONNX file or an engine, or the `backend` that `open_model` gave: for many images
    give that, since the others are made ready anew each time. `device` (`auto`, `cpu`, `cuda:1`, `mps` …) is
    for all but ONNX files and backends, `dtype` (`float32`, `float16`, `bfloat16`; for `auto` see
    `choose_dtype`) for networks and checkpoints, `trust` for engines that nothing describes (see
    `open_model`). `tile` and `overlap` are in input pixels; see `choose_tiles` for None. `progress` begins
    one step of as many parts as there are tiles.

    Raises `ArgumentError` for an image of another shape or dtype or with floats outside 0..1, a model of
    another kind, a device or dtype that is unknown or not for the model, and a tile that leaves nothing
    between its overlaps; `ImageError` for channels that do not fit the model; `AetherError` if the memory is
    not enough or the output not finite; for a path what `open_model` raises.
    """
    _check_image(image)
    backend = as_backend(model, device, dtype, trust=trust)
    pixels = image[:, :, np.newaxis] if image.ndim == 2 else image
    if pixels.shape[2] > 4 and pixels.shape[2] != backend.channels:
        raise ImageError(f"the image has {pixels.shape[2]} channels: expected 1 to 4")
    side, overlap = choose_tiles(backend, tile, overlap)
    progress.begin("upscaling", tile_count(backend, pixels.shape[:2], side, overlap))
    output = upscale_pixels(backend, pixels, tile=side, overlap=overlap, progress=progress)
    return output[:, :, 0] if image.ndim == 2 else output


def _check_image(image: NDArray[Any]) -> None:
    if image.dtype.name not in _DTYPES or image.ndim not in (2, 3) or not image.size:
        raise ArgumentError(
            f"the image is {shape_text(image.shape)} of {image.dtype}: expected height×width or "
            "height×width×channels of uint8, uint16 or float32"
        )
    if image.dtype == np.float32:
        least, most = float(image.min()), float(image.max())
        if not (least >= 0 and most <= 1):  # nor NaN, which is in no order
            raise ArgumentError(f"the image holds floats from {least:g} to {most:g}: expected 0 to 1")


def as_backend(model: Model, device: str, dtype: str, *, trust: bool) -> Backend:
    """Return what runs a model; see `upscale` for the arguments and for what is raised."""
    if isinstance(model, str | Path):
        return open_model(Path(model), device=device, dtype=dtype, trust=trust).backend
    network: object = model.model if isinstance(model, ImageModelDescriptor) else model
    if isinstance(network, AetherBase):
        chosen = choose_device(device)
        return PyTorchBackend(network, chosen, choose_dtype(dtype, chosen))
    if isinstance(model, ImageModelDescriptor) or not isinstance(model, Backend):
        raise ArgumentError(f"{type(network).__name__} is not AetherNet: give what load_model returns")
    for name, value in (("device", device), ("dtype", dtype)):
        if value != "auto":
            hint = Hint(f"leave {{{name}}} out", **{name: value})
            raise ArgumentError(f"a backend has its {name} already", hint)
    return model
