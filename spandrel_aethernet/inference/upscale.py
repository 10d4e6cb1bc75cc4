"""Upscaling an image in memory, or one file from reading to writing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spandrel import ImageModelDescriptor

from ..errors import AetherError, ArgumentError, ImageError, OutputError
from ..files import check_target
from ..images.files import Picture, check_holds, read_picture, write_picture
from ..model.network import AetherNet
from ..progress import SILENT, Progress
from ..shapes import shape_text
from .backend import Backend
from .jobs import Job
from .open import open_model
from .pytorch import PyTorchBackend, choose_device, choose_dtype
from .tiling import Sample, choose_tiles, tile_count, upscale_pixels

_DTYPES = ("uint8", "uint16", "float32")


def upscale(
    image: NDArray[Sample],
    model: str | Path | AetherNet | ImageModelDescriptor[Any] | Backend,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
) -> NDArray[Sample]:
    """Return an image enlarged by a model: H x W x C or H x W, uint8, uint16, or float32 with values 0..1.

        model = spandrel_aethernet.load_model("aether_small_2x.pth")
        larger = spandrel_aethernet.upscale(image, model)

    The result has the dtype and the axes of `image`, which stays as it is, and values clamped to the dtype's
    range. C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha). `model` is a network or a descriptor,
    the path of a checkpoint, an ONNX file or an engine, or a backend that `open_model` gave: for many
    images give that, since the others are made ready anew each time. `device` (`auto`, `cpu`, `cuda:1`,
    `mps` …) is for all but a backend and ONNX files; float16 is taken on CUDA, float32 elsewhere. `tile` and
    `overlap` are in input pixels and chosen by default; see `choose_tiles`.

    Raises `ArgumentError` for an image of another shape or dtype or a wrong device, `ImageError` for an
    image that does not fit the model or a tile that does not fit the overlap, `AetherError` if the memory
    is not enough or the output not finite, and for a path what `open_model` raises.
    """
    if image.dtype.name not in _DTYPES or image.ndim not in (2, 3) or not image.size:
        raise ArgumentError(
            f"the image is {shape_text(image.shape)} of {image.dtype}: expected height×width or "
            f"height×width×channels of uint8, uint16 or float32"
        )
    backend = _as_backend(model, device)
    pixels = image[:, :, np.newaxis] if image.ndim == 2 else image
    side, overlap = choose_tiles(backend, tile, overlap)
    progress.begin("upscaling", tile_count(pixels, side, overlap))
    output = upscale_pixels(backend, pixels, tile=side, overlap=overlap, progress=progress)
    return output[:, :, 0] if image.ndim == 2 else output


def upscale_file(
    job: Job,
    backend: Backend,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> Picture:
    """Upscale one file and return what was written.

    Depth, grey or colour, alpha, EXIF (of a TIFF only its orientation) and ICC profile are the source's.
    `tile` and `overlap` are in input pixels; see `choose_tiles` for None. `progress` begins one step, called
    as the source is, of as many parts as there are tiles. Raises `ImageError` or `OutputError`; then
    nothing is written, and what can be known before the network runs is raised before.
    """
    check_target(job.target, force=force)
    if job.target.resolve() == job.source.resolve():
        raise OutputError(f"{job.target} would replace its own source: choose another folder or name")
    picture = read_picture(job.source)
    check_holds(job.target, picture, scale=backend.scale)
    side, overlap = choose_tiles(backend, tile, overlap)
    progress.begin(job.source.name, tile_count(picture.pixels, side, overlap))
    try:
        pixels = upscale_pixels(backend, picture.pixels, tile=side, overlap=overlap, progress=progress)
    except AetherError as error:
        raise ImageError(f"{job.source}: {error.message.sentence}", error.message.hint) from error
    result = Picture(pixels, picture.metadata)
    write_picture(result, job.target, force=force)
    return result


def _as_backend(model: str | Path | AetherNet | ImageModelDescriptor[Any] | Backend, device: str) -> Backend:
    if isinstance(model, str | Path):
        return open_model(Path(model), device=device).backend
    if not isinstance(model, AetherNet | ImageModelDescriptor):
        return model
    network: object = model.model if isinstance(model, ImageModelDescriptor) else model
    if not isinstance(network, AetherNet):
        raise ArgumentError(f"{type(network).__name__} is not AetherNet: give a model that load_model read")
    chosen = choose_device(device)
    return PyTorchBackend(network, chosen, choose_dtype("auto", chosen))
