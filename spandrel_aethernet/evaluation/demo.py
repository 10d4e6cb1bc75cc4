"""The main job on bundled data: load, upscale, compare with bicubic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from spandrel import ImageModelDescriptor, ModelLoader

from ..data import DEMO_MODEL, half_size, original
from ..errors import AetherError
from ..files import check_target
from ..images.files import Picture, read_picture, write_picture
from ..inference.image_files import FileOptions, upscale_file
from ..inference.jobs import Job
from ..inference.pytorch import PyTorchBackend
from ..model.base import AetherBase
from ..model.install import install
from ..progress import SILENT, Progress
from .figures import side_by_side
from .metrics import psnr_inside

PHOTOGRAPH = "astronaut"
CROP = (slice(360, 460), slice(150, 270))
"""Rows and columns of the photograph that the side-by-side picture shows."""
ZOOM = 4


@dataclass(frozen=True)
class DemoResult:
    """What the demo wrote, and both ways' PSNR against the original in dB (RGB, 2 px border left out)."""

    upscaled: Path
    comparison: Path
    bicubic_psnr: float
    aethernet_psnr: float


def load_demo_model() -> ImageModelDescriptor[AetherBase]:
    """Load the bundled checkpoint through spandrel itself."""
    install()
    descriptor = ModelLoader().load_from_file(DEMO_MODEL)
    if not isinstance(descriptor.model, AetherBase):
        raise AetherError(f"{DEMO_MODEL} was loaded as {descriptor.architecture.name}: expected AetherNet")
    return descriptor  # pyright: ignore[reportReturnType]  (its model was just found to be an AetherNet)


def bicubic(pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Enlarge H x W x 3 with Pillow's BICUBIC."""
    height, width = pixels.shape[:2]
    return np.asarray(
        Image.fromarray(pixels).resize((width * scale, height * scale), Image.Resampling.BICUBIC)
    )


def run_demo(
    descriptor: ImageModelDescriptor[AetherBase],
    folder: Path,
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> DemoResult:
    """Upscale the bundled half-size photograph into `folder` and compare. Raises `OutputError`."""
    comparison = folder / f"{PHOTOGRAPH}_comparison.png"
    check_target(comparison, force=force)
    backend = PyTorchBackend(descriptor.model, torch.device("cpu"), torch.float32)
    job = Job(half_size(PHOTOGRAPH), folder / f"{PHOTOGRAPH}_{descriptor.scale}x.png")
    upscaled = upscale_file(job, backend, FileOptions(force=force), progress=progress).pixels
    truth = _photograph(original(PHOTOGRAPH))
    enlarged = bicubic(_photograph(job.source), descriptor.scale)
    scores = psnr_inside(enlarged, truth), psnr_inside(upscaled, truth)
    panels = [
        (f"bicubic {scores[0]:.2f} dB", enlarged[CROP]),
        (f"AetherNet {scores[1]:.2f} dB", upscaled.astype(np.uint8)[CROP]),
        ("original", truth[CROP]),
    ]
    write_picture(Picture(side_by_side(panels, zoom=ZOOM)), comparison, force=force)
    return DemoResult(job.target, comparison, *scores)


def _photograph(path: Path) -> NDArray[np.uint8]:
    return read_picture(path).pixels.astype(np.uint8, copy=False)
