"""From a checkpoint file to an ONNX file."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import onnx
import torch
from torch import Tensor, nn

from .. import __version__
from ..data import PHOTOGRAPHS, half_size
from ..errors import AetherError, OutputError
from ..files import check_target, replacing
from ..images.channels import feed_for, to_network
from ..images.files import format_of, read_picture
from ..model.checkpoint import Weights, read_checkpoint
from ..model.io import named, read_state_dict
from ..onnx_model.metadata import Metadata, describe, write_metadata
from ..shapes import Profile
from .calibration import OpScales, find_scales, middle
from .deploy import deployable
from .half_rounding import truncates_half
from .int8_ops import plan
from .qdq import insert_qdq
from .simulate import simulate
from .torch_export import NEWEST_OPSET, OLDEST_OPSET, float_graph, newest_opset
from .verify import Agreement, verify

Precision = Literal["fp32", "fp16", "fp32-int8", "fp16-int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "fp32-int8", "fp16-int8")


@dataclass(frozen=True)
class ExportReport:
    """What was written."""

    path: Path
    opset: int
    metadata: Metadata
    agreements: Sequence[Agreement]
    """Empty if the file was not verified."""
    runtime_truncates: bool = False
    """Whether the ONNX Runtime that verified it gives its int8 inputs wrong steps (see `truncates_half`)."""

    def describe(self) -> dict[str, Any]:
        """Return the report as a JSON-ready document, the file named without its folder."""
        agreements = [asdict(agreement) for agreement in self.agreements]
        document = {"file": self.path.name, "opset": self.opset, **describe(self.metadata)}
        return {**document, "agreements": agreements}


def default_opset(precision: Precision) -> int:
    """Return 17, as published, or 20 where scales are float16, which need 19."""
    return 20 if precision == "fp16-int8" else 17


def default_preset(precision: Precision) -> str:
    """Return `tensorrt` for `fp16-int8`, else the preset that also runs well on a CPU.

    ONNX Runtime has slow kernels for most FP16 operators on a CPU and for a depthwise kernel with Q/DQ.
    """
    return "tensorrt" if precision == "fp16-int8" else "onnxruntime"


def export_onnx(
    source: Path,
    target: Path,
    *,
    precision: Precision = "fp32-int8",
    opset: int | None = None,
    profile: Profile | None = None,
    preset: str | None = None,
    calibration: Path | None = None,
    weights: Weights = "grid",
    verified: bool = True,
    force: bool = False,
    on_step: Callable[[str, int], object] = lambda _step, _total: None,
    on_progress: Callable[[], object] = lambda: None,
) -> ExportReport:
    """Write `source`, a checkpoint in any layout, as the ONNX file `target`.

    The bare network is exported, fused: N x C x H x W, values 0..1, nothing clamped or padded. INT8
    files quantise the operators of `preset` (default: `default_preset`); ranges that training left win,
    the rest is calibrated on the bundled photographs or the images of the folder `calibration`. The file
    takes its name once ONNX Runtime agrees with PyTorch. `on_step` is given the name of each step and how
    often `on_progress` will be called in it. Raises `CheckpointError`, `OnnxError`, `ImageError` or
    `OutputError`, and then nothing is written.
    """
    profile = profile or Profile()
    opset = default_opset(precision) if opset is None else opset
    preset = preset or default_preset(precision)
    _check(target, precision, opset, force=force)
    with named(source):
        checkpoint = read_checkpoint(read_state_dict(source), weights=weights)
    network = checkpoint.network()
    int8 = precision.endswith("int8")
    dtype = torch.float16 if precision.startswith("fp16") else torch.float32
    float_network = deployable(network, merged=int8)
    images = _calibration_images(calibration, network.in_chans)
    scales: list[OpScales] = []
    if int8:
        on_step("calibrating", len(images))
        ops = plan(network.hyperparameters, preset, checkpoint.ranges)
        found = find_scales(float_network, ops, checkpoint.ranges, images, on_image=on_progress)
        scales = [entry.as_stored(dtype) for entry in found]
    on_step("exporting", 1)
    typed = copy.deepcopy(float_network).to(dtype)
    model = float_graph(typed, network.in_chans, network.scale, profile, opset)
    if scales:
        model = insert_qdq(model, scales)
    metadata = Metadata(
        package_version=__version__,
        source=source.name,
        source_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        variant=checkpoint.info.variant,
        layout=checkpoint.info.layout,
        scale=network.scale,
        channels=network.in_chans,
        precision=precision,
        preset=preset if int8 else None,
        profile=profile,
        input_ranges={entry.op.module: entry.input_source for entry in scales},
        float_operators=_others(float_network, scales) if int8 else [],
    )
    write_metadata(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    on_progress()
    agreements: Sequence[Agreement] = ()
    truncates = False
    if verified:
        on_step("verifying", 3)
        truncates = precision == "fp16-int8" and truncates_half()
        reference = simulate(float_network, scales, truncates=truncates) if scales else float_network
        agreements = verify(
            model, reference, float_network, images[0], profile, precision, on_size=on_progress
        )
    with replacing(target, force=force) as partial:
        partial.write_bytes(model.SerializeToString())
    return ExportReport(target, opset, metadata, agreements, truncates)


def _check(target: Path, precision: Precision, opset: int, *, force: bool) -> None:
    if target.suffix.lower() != ".onnx":
        raise OutputError(f"{target} is not named like an ONNX file: expected .onnx")
    check_target(target, force=force)
    oldest = 19 if precision == "fp16-int8" else OLDEST_OPSET
    if not oldest <= opset <= NEWEST_OPSET:
        raise AetherError(f"opset {opset} cannot hold {precision}: expected {oldest} to {NEWEST_OPSET}")
    if opset > newest_opset():
        raise AetherError(
            f"PyTorch {torch.__version__} cannot write opset {opset}: choose {newest_opset()} or less"
        )


def _calibration_images(folder: Path | None, channels: int) -> list[Tensor]:
    """Read 1 x C x H x W images, values 0..1, from a folder or from the package."""
    if folder is None:
        paths = [half_size(name) for name in PHOTOGRAPHS]
    else:
        if not folder.is_dir():
            raise AetherError(f"{folder} is no folder: give one with images to calibrate on")
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and format_of(path))
        if not paths:
            raise AetherError(
                f"{folder} holds no images to calibrate on: expected png, tiff, webp, avif or jpg files"
            )
    return [_middle(path, channels) for path in paths]


def _middle(path: Path, channels: int) -> Tensor:
    pixels = read_picture(path).pixels
    crop = pixels[middle(pixels.shape[0]), middle(pixels.shape[1])]
    return torch.from_numpy(to_network(crop, feed_for(crop.shape[2], channels)))[:1]


def _others(network: nn.Module, scales: Sequence[OpScales]) -> list[str]:
    """Name the convolutions and products that are not planned."""
    planned = {entry.op.module for entry in scales}
    weighted = [name.removesuffix(".weight") for name, part in network.named_parameters() if part.ndim > 1]
    return [name for name in weighted if name not in planned]
