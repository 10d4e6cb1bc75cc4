"""Calibration: the amax at the inputs that QAT left open, measured on images one by one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..data import PHOTOGRAPHS, half_size, original
from ..errors import ArgumentError
from ..images.channels import as_tensor, feed_for, to_network
from ..images.files import format_of, read_picture
from ..model.base import AetherBase
from ..model.generations import deployed, planned
from ..model.operators import PRESETS
from ..model.ranges import TrainedRanges
from ..model.source import NetworkSource
from ..progress import SILENT, Progress
from ..shapes import shape_text

_SIDE = 128
"""How many pixels of each side of an image calibration looks at."""


class CalibrationImages:
    """Images to calibrate on, each decoded when it is first asked for and then kept.

    An item is the middle of an image, 1 x `channels` x H x W, float32, values 0..1, H and W at most 128.
    """

    def __init__(
        self, paths: Sequence[Path], channels: int, *, originals: Sequence[Path] | None = None
    ) -> None:
        """Take image files, how many channels the network has, and the files to tell a loss by.

        These are what an image should become, and are made smaller for the network; by default `paths`.
        """
        self.channels = channels
        self.originals = tuple(paths if originals is None else originals)
        self._paths = tuple(paths)
        self._decoded: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        """Return an image. Raises `ImageError` for one that cannot be read, or whose channels do not fit."""
        if index not in self._decoded:
            self._decoded[index] = self._decode(self._paths[index])
        return self._decoded[index]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(len(self)))

    def _decode(self, path: Path) -> Tensor:
        pixels = read_picture(path).pixels
        crop = pixels[_middle(pixels.shape[0]), _middle(pixels.shape[1])]
        batch = as_tensor(crop)[None]
        return to_network(batch, feed_for(crop.shape[2], self.channels))[:1].contiguous()


def calibration_images(folder: Path | None, channels: int) -> CalibrationImages:
    """Return the images at and below a folder, or the bundled photographs, for a network of `channels`.

    None is read yet. Raises `ArgumentError` for what is not a folder, or holds no images.
    """
    if folder is None:
        halves, originals = ([of(name) for name in PHOTOGRAPHS] for of in (half_size, original))
        return CalibrationImages(halves, channels, originals=originals)
    if not folder.is_dir():
        raise ArgumentError(f"{folder} is not a folder: give one with images to calibrate on")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and format_of(path))
    if not paths:
        raise ArgumentError(
            f"{folder} holds no images to calibrate on: expected png, tiff, webp, avif or jpg files"
        )
    return CalibrationImages(paths, channels)


class Calibrator:
    """Measures the inputs that QAT left open, of every operator that any preset quantizes.

    What it finds travels in the network's `trained_ranges`, so every later export takes it instead of the
    bundled photographs.

        calibrator = spandrel_aethernet.Calibrator(network)
        calibrator.see(image)  # 1 x 3 x H x W, values 0..1
        calibrated = calibrator.result()
    """

    def __init__(self, network: AetherBase) -> None:
        """Take a network in any form, on any device and in any dtype; it stays as it is."""
        self._network = network
        self._ranges = network.trained_ranges or TrainedRanges()
        self._deployed = deployed(copy.deepcopy(network).cpu().float(), merged=True)
        self._amax = dict.fromkeys(_open_points(network, self._ranges), 0.0)
        self._seen = 0

    @property
    def open_points(self) -> tuple[str, ...]:
        """The operators whose input is measured, by their module path in the fused network."""
        return tuple(self._amax)

    def see(self, image: Tensor) -> None:
        """Run an image, N x C x H x W with values 0..1, of which the middle 128 x 128 pixels are looked at.

        Raises `ArgumentError` for another shape.
        """
        channels = self._network.in_chans
        if image.ndim != 4 or image.shape[1] != channels or not image.numel():
            raise ArgumentError(f"image is {shape_text(image.shape)}: expected N×{channels}×H×W")
        height, width = image.shape[2:]
        crop = image[:, :, _middle(height), _middle(width)].cpu().float()
        _see(self._deployed, crop, self._amax)
        self._seen += 1

    def result(self) -> AetherBase:
        """Return a copy of the network that carries what was measured; ranges from QAT stay.

        Raises `ArgumentError` if it saw no image.
        """
        if not self._seen:
            raise ArgumentError("no image came to calibrate on: give at least one")
        calibrated = copy.deepcopy(self._network)
        calibrated.trained_ranges = replace(self._ranges, calibrated_inputs=dict(self._amax))
        return calibrated


def calibrated(
    source: NetworkSource, images: CalibrationImages, *, progress: Progress = SILENT
) -> NetworkSource:
    """Return a network with a range for every operator that any preset quantizes; those it has stay.

    However often it is then exported, nothing is measured again. Raises `ImageError` for an image that cannot
    be read.
    """
    checkpoint = source.checkpoint
    ranges = checkpoint.ranges or TrainedRanges()
    network = checkpoint.network()
    unknown = set(_open_points(network, ranges)) - set(ranges.calibrated_inputs)
    if not unknown:
        return source
    found = measure_amax(deployed(network, merged=True), sorted(unknown), images, progress=progress)
    ranges = replace(ranges, calibrated_inputs={**ranges.calibrated_inputs, **found})
    return replace(source, checkpoint=replace(checkpoint, ranges=ranges))


def measure_amax(
    network: nn.Module, modules: Sequence[str], images: CalibrationImages, *, progress: Progress = SILENT
) -> dict[str, float]:
    """Return the amax at the input of each module of a deployed network while it runs the images.

    Raises `ImageError` for an image that cannot be read.
    """
    amax = dict.fromkeys(modules, 0.0)
    progress.begin("calibrating", len(images))
    for image in images:
        progress.poll()
        _see(network, image, amax)
        progress.advance()
    return amax


def _open_points(network: AetherBase, ranges: TrainedRanges) -> list[str]:
    """Name the operators of all presets whose input no observer saw."""
    ops = [op for preset in PRESETS for op in planned(network, preset, ranges)]
    return sorted({op.point for op in ops if op.qat_amax(ranges) is None})


@torch.inference_mode()
def _see(network: nn.Module, image: Tensor, amax: dict[str, float]) -> None:
    """Run an image, N x C x H x W, and raise each amax, by module path, to that of the module's input."""
    with _watched_inputs(network, amax):
        network(image)


@contextmanager
def _watched_inputs(network: nn.Module, amax: dict[str, float]) -> Generator[None]:
    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            amax[name] = max(amax[name], float(inputs[0].abs().max()))

        return hook

    handles = [network.get_submodule(name).register_forward_pre_hook(watch(name)) for name in amax]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _middle(length: int) -> slice:
    """Return the part of an image's side that calibration looks at."""
    start = max(0, (length - _SIDE) // 2)
    return slice(start, start + _SIDE)
