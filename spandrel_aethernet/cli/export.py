"""`aethernet export`: an ONNX file from a checkpoint."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..errors import AetherError
from ..shapes import Profile, Span
from .console import ERR, OUT, Subparsers, add_command, add_force, add_weights, path, print_json, progress

_PRECISIONS = ("fp32", "fp16", "fp32-int8", "fp16-int8")


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    default = Profile()
    parser = add_command(
        subparsers,
        "export",
        "write a checkpoint as an ONNX file: FP32, FP16, or INT8 with Q/DQ nodes",
        "aethernet export aether_small_2x.pth -o aether_small_2x_fp32_int8.onnx",
        "aethernet export aether_small_2x.pth -o aether_small_2x_fp16.onnx --precision fp16",
        "aethernet export my_2x.pth -o my_2x_int8.onnx --calibrate photos/ --static 512x512",
    )
    parser.add_argument("file", type=path, help="checkpoint in any layout")
    parser.add_argument("-o", "--output", type=path, required=True, metavar="OUT.onnx", help="file to write")
    parser.add_argument("--precision", choices=_PRECISIONS, default="fp32-int8", help="default: fp32-int8")
    parser.add_argument(
        "--opset", type=int, metavar="N", help="17 to 21 (default: 17; 20 for fp16-int8, 19 at least)"
    )
    for axis, span in vars(default).items():
        parser.add_argument(
            f"--{axis}", metavar="MIN:OPT:MAX", help=f"sizes it is meant for (default: {span})"
        )
    parser.add_argument("--static", metavar="HxW", help="one fixed height and width, batch 1")
    parser.add_argument(
        "--preset",
        choices=("tensorrt", "onnxruntime"),
        help="which operators are INT8 (default: tensorrt for fp16-int8, which no CPU runs well, else "
        "onnxruntime)",
    )
    parser.add_argument(
        "--calibrate",
        type=path,
        metavar="FOLDER",
        help="images for ranges that no observer saw (default: bundled)",
    )
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare with PyTorch before the file takes its name (default)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")
    add_weights(parser)
    add_force(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file and report ranges and agreement."""
    from ..onnx_export.export import ExportReport, export_onnx

    with progress() as bars:
        tasks: list[Any] = []
        report: ExportReport = export_onnx(
            arguments.file,
            arguments.output,
            precision=arguments.precision,
            opset=arguments.opset,
            profile=_profile(arguments),
            preset=arguments.preset,
            calibration=arguments.calibrate,
            weights=arguments.weights,
            verified=arguments.verify,
            force=arguments.force,
            on_step=lambda step, total: tasks.append(bars.add_task(step, total=total)),
            on_progress=lambda: bars.advance(tasks[-1]),
        )
    if arguments.json:
        print_json({**report.describe(), "file": str(report.path)})
        return 0
    sources = Counter(report.metadata.input_ranges.values())
    if sources:
        ranges = ", ".join(f"{count} {source}" for source, count in sorted(sources.items(), reverse=True))
        OUT.print(
            f"int8       {sources.total()} operators ({report.metadata.preset}); input ranges: {ranges}"
        )
        OUT.print(f"float      {', '.join(_in_short(report.metadata.float_operators))}")
    for agreement in report.agreements:
        shape = "×".join(map(str, agreement.shape))
        most = f"{agreement.largest_difference:.2g} at most"
        OUT.print(f"verified   {shape}: {agreement.psnr:.1f} dB, {most} from PyTorch")
    if report.runtime_truncates:
        ERR.print(
            "this ONNX Runtime truncates FP16 values where it should round: the file loses quality in it, "
            "not in a newer one or in TensorRT"
        )
    if not report.agreements:
        ERR.print("not verified, as asked")
    OUT.print(f"wrote      {report.path}: {report.metadata.precision}, opset {report.opset}")
    return 0


def _in_short(modules: Sequence[str]) -> list[str]:
    """Count the modules that every block has as one: `16 conv.fused_conv`."""
    parts = Counter(re.sub(r"^layers\.\d+\.\d+\.", "", module) for module in modules)
    return [f"{count} {part}" if count > 1 else part for part, count in parts.items()]


def _profile(arguments: argparse.Namespace) -> Profile:
    given = {axis: getattr(arguments, axis) for axis in vars(Profile()) if getattr(arguments, axis)}
    if arguments.static is None:
        return Profile(**{axis: Span.parse(text, axis) for axis, text in given.items()})
    sizes = arguments.static.lower().split("x")
    if given or len(sizes) != 2:
        raise AetherError(
            f"--static {arguments.static}: expected HxW such as 256x256, without --batch, --height or --width"
        )
    height, width = (Span.parse(size, "--static") for size in sizes)
    return Profile(Span(1, 1, 1), height, width)
