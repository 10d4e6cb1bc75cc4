"""From a network to an ONNX model, in memory or as a file."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

import onnx
import torch
from torch import nn
from typing_extensions import Unpack

from .. import __version__
from ..errors import ArgumentError, OutputError, check_choice
from ..files import check_target, replacing
from ..model.base import AetherBase
from ..model.checkpoint import Weights
from ..model.generations import deployed
from ..model.source import NetworkInput, NetworkSource, as_source
from ..onnx_model.budget_table import BudgetTable
from ..onnx_model.metadata import IO_TYPES, Metadata, describe, write_metadata
from ..precision import Precision
from ..progress import SILENT, Progress
from ..shapes import Profile
from .budget import Budget
from .calibration import CalibrationImages, calibration_images
from .defaults import has_half_scales, settled
from .ends import with_float32_ends
from .overflow import check_weights
from .plan import check_budget, plan_int8
from .qdq import insert_qdq
from .scales import OpScales
from .simulate import simulate
from .torch_export import float_graph
from .verify import Agreement, truncates_half, verify


@dataclass(frozen=True)
class ExportReport:
    """What was exported."""

    path: Path | None
    """The file that was written; None if the model stayed in memory."""
    opset: int
    metadata: Metadata
    agreements: Sequence[Agreement]
    """Empty if the model was not verified."""
    runtime_truncates: bool = False
    """Whether the ONNX Runtime that verified it rounds its int8 inputs wrongly (see `truncates_half`)."""

    def describe(self) -> dict[str, Any]:
        """Return the report as a JSON-ready document, the file named without its folder."""
        name = self.path.name if self.path else None
        agreements = [asdict(agreement) for agreement in self.agreements]
        document = {"file": name, "opset": self.opset, **describe(self.metadata)}
        return {**document, "agreements": agreements}


@dataclass(frozen=True)
class Exported:
    """A model in memory, and what is known of it."""

    model: onnx.ModelProto
    report: ExportReport


def export_network(
    network: NetworkInput,
    *,
    precision: str | Precision = "fp32-int8",
    opset: int | None = None,
    profile: Profile | None = None,
    preset: str | None = None,
    io: str | None = None,
    calibration: Path | CalibrationImages | None = None,
    max_loss: float | None = None,
    min_speedup: float | None = None,
    verified: bool = True,
    weights: Weights = "grid",
    name: str | None = None,
    progress: Progress = SILENT,
) -> Exported:
    """Return a network, or a checkpoint in any layout, as an ONNX model; what is given stays as it is.

    The bare network is exported, fused: N x C x H x W, values 0..1, in the float type of `precision` (`fp32`,
    `fp16`, `fp32-int8`, `fp16-int8`), to N x C x H·scale x W·scale, nothing clamped or padded. With `io`
    `fp32` input and output are float32 and an FP16 model has a Cast at each end; an FP32 model is the same
    without. `profile` says which axes are open. INT8 models quantize the operators of `preset` (`tensorrt` or
    `onnxruntime`, default: `default_preset`): ranges from QAT win, the rest is calibrated on the bundled
    photographs or the images at and below the folder `calibration`. With `max_loss` (dB of PSNR) or
    `min_speedup` (times as fast as in float, preset `onnxruntime`) they are those of its operators that
    such a budget has room for, each measured by itself on these images (see `within`), and the metadata
    hold the table. Unless `verified` is False, ONNX Runtime is asked whether the model agrees with PyTorch.
    `weights` is as in `read_checkpoint`, `name` (without a suffix) what the metadata call a network in
    memory.

    Raises `ArgumentError` for a value that none of these can have, before any work; `CheckpointError` for a
    checkpoint that cannot be read; `ImageError` for a calibration image that cannot; and `OnnxError` for a
    model that does not agree, or whose values the float type cannot hold.

        exported = spandrel_aethernet.export_network("aether_small_2x.pth", precision="fp16-int8")
        onnx.save(exported.model, "aether_small_2x.onnx")
    """
    precision, opset, preset = settled(precision, opset, preset, weights)
    check_choice("io", io, IO_TYPES)
    io = None if io == precision.float_type else io
    profile = profile or Profile()
    budget = Budget(max_loss, min_speedup)
    check_budget(budget, precision, preset)
    source = as_source(network, weights=weights, name=name)
    found = source.checkpoint.network()
    check_budget(budget, precision, preset, found.scale)
    images = _images(calibration, found.in_chans)
    for_cpu = preset == "onnxruntime" if precision.int8 else precision.float_type == "fp32"
    runnable = deployed(found, merged=precision.int8, for_cpu=for_cpu)
    dtype = torch.float16 if precision.float_type == "fp16" else torch.float32
    check_weights(runnable, precision)

    def graph(of: AetherBase) -> onnx.ModelProto:
        return float_graph(copy.deepcopy(of).to(dtype), found.in_chans, found.scale, profile, opset)

    @cache
    def graphs() -> tuple[onnx.ModelProto, onnx.ModelProto]:
        return graph(runnable), graph(deployed(found, merged=False, for_cpu=for_cpu))

    scales: Sequence[OpScales] = ()
    table: BudgetTable | None = None
    if precision.int8:
        scales, table = plan_int8(
            found,
            runnable,
            source.checkpoint.ranges,
            images,
            budget,
            precision=precision,
            preset=preset,
            profile=profile,
            graphs=graphs,
            progress=progress,
        )
    progress.begin("exporting", 1)
    model = graphs()[0] if table else graph(runnable)
    if scales:
        model = insert_qdq(model, scales)
    asked = [model]  # and compared with PyTorch
    if io:
        # On a CPU ONNX Runtime drops casts, and with them what float16 cannot hold: both must agree.
        model = with_float32_ends(model)
        asked.append(model)
    metadata = _metadata(source, runnable, precision, preset, io, profile, scales, table)
    write_metadata(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    progress.advance()
    report = ExportReport(None, opset, metadata, ())
    if verified:
        truncates = has_half_scales(precision) and truncates_half()
        reference = simulate(runnable, scales, truncates=truncates) if scales else runnable
        for each in asked:
            agreements = verify(each, reference, runnable, images[0], profile, precision, progress=progress)
            report = replace(report, agreements=agreements, runtime_truncates=truncates)
    return Exported(model, report)


class ExportOptions(TypedDict, total=False):
    """The arguments of `export_network` by their names, for functions that pass them on."""

    precision: str | Precision
    opset: int | None
    profile: Profile | None
    preset: str | None
    io: str | None
    calibration: Path | CalibrationImages | None
    max_loss: float | None
    min_speedup: float | None
    verified: bool
    weights: Weights
    name: str | None
    progress: Progress


def export_onnx(
    source: NetworkInput, target: str | Path, *, force: bool = False, **options: Unpack[ExportOptions]
) -> ExportReport:
    """Write a checkpoint in any layout, or a network, as the ONNX file `target`.

    What the model is, what `options` mean and what they are by default: see `export_network`, whose errors
    come before anything is written. Raises `OutputError` for a target that is not named `.onnx`, cannot be
    written, or exists where `force` is False, before any work.

        report = spandrel_aethernet.export_onnx("aether_small_2x.pth", "aether_small_2x.onnx", opset=20)
        print(report.agreements[0].psnr, "dB")
    """
    target = Path(target)
    if target.suffix.lower() != ".onnx":
        raise OutputError(f"{target} is not named like an ONNX file: expected .onnx")
    check_target(target, force=force)
    exported = export_network(source, **options)
    with replacing(target, force=force) as partial:
        partial.write_bytes(exported.model.SerializeToString())
    return replace(exported.report, path=target)


def _images(given: Path | CalibrationImages | None, channels: int) -> CalibrationImages:
    if not isinstance(given, CalibrationImages):
        return calibration_images(given, channels)
    if given.channels != channels:
        raise ArgumentError(
            f"calibration images have {given.channels} channels and the network {channels}: read them for it"
        )
    return given


def _metadata(
    source: NetworkSource,
    deployed: nn.Module,
    precision: Precision,
    preset: str,
    io: str | None,
    profile: Profile,
    scales: Sequence[OpScales],
    table: BudgetTable | None,
) -> Metadata:
    info = source.checkpoint.info
    planned = {entry.op.module: entry.input_source for entry in scales}
    weighted = [name.removesuffix(".weight") for name, part in deployed.named_parameters() if part.ndim > 1]
    return Metadata(
        package_version=__version__,
        source=source.name,
        source_sha256=source.sha256,
        variant=info.variant,
        layout=info.layout,
        scale=info.hyperparameters["scale"],
        channels=info.hyperparameters["in_chans"],
        precision=str(precision),
        preset=preset if precision.int8 else None,
        profile=profile,
        input_ranges=planned,
        float_operators=[name for name in weighted if name not in planned] if precision.int8 else [],
        io=io,
        budget=table,
    )
