"""`aethernet export`: an ONNX file from a checkpoint."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence

from ..errors import AetherError
from ..onnx_model.budget_table import BudgetTable
from ..precision import EXPORTED
from ..shapes import Profile, Range, shape_text
from .console import ERR, OUT, print_json, print_table
from .options import add_checkpoint, add_force, add_json, add_output, add_weights, decimal, path
from .progress import bars

EXAMPLES = (
    "aethernet export aether_small_2x.pth -o aether_small_2x_fp32_int8.onnx",
    "aethernet export aether_small_2x.pth -o aether_small_2x_fp16.onnx --precision fp16",
    "aethernet export my_2x.pth -o my_2x_vs.onnx --precision fp16 --io fp32",
    "aethernet export my_2x.pth -o my_2x_int8.onnx --calibrate photos/ --static 512x512",
    "aethernet export my_2x.pth -o my_2x_int8.onnx --max-loss 0.05",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    default = Profile()
    add_checkpoint(parser)
    add_output(parser, "OUT.onnx", "file to write")
    parser.add_argument(
        "--precision", choices=[*map(str, EXPORTED)], default="fp32-int8", help="default: fp32-int8"
    )
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
        "--io",
        choices=("fp32",),
        help="input and output in fp32, by a cast at each end of an FP16 file (default: as the file is)",
    )
    parser.add_argument(
        "--calibrate",
        type=path,
        metavar="FOLDER",
        help="images for ranges that no observer saw (default: bundled)",
    )
    parser.add_argument(
        "--max-loss",
        type=decimal,
        metavar="DB",
        help="as many operators in INT8 as lose no more than this, by PSNR on the calibration images",
    )
    parser.add_argument(
        "--min-speedup",
        type=decimal,
        metavar="X",
        help="as few operators in INT8 as make it X times as fast as float in ONNX Runtime on this machine",
    )
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare with PyTorch before the file takes its name (default)",
    )
    add_json(parser)
    add_weights(parser)
    add_force(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the file and report ranges and agreement."""
    from ..onnx_export.export import export_onnx
    from ..onnx_model.metadata import SOURCE_TEXTS

    with bars() as progress:
        report = export_onnx(
            arguments.file,
            arguments.output,
            precision=arguments.precision,
            opset=arguments.opset,
            profile=_profile(arguments),
            preset=arguments.preset,
            io=arguments.io,
            calibration=arguments.calibrate,
            max_loss=arguments.max_loss,
            min_speedup=arguments.min_speedup,
            weights=arguments.weights,
            verified=arguments.verify,
            force=arguments.force,
            progress=progress,
        )
    if arguments.json:
        print_json({**report.describe(), "file": str(report.path)})
        return 0
    if report.metadata.budget:
        _print_budget(report.metadata.budget)
    sources = Counter(report.metadata.input_ranges.values())
    if sources:
        ranges = ", ".join(f"{sources[key]} {text}" for key, text in SOURCE_TEXTS.items() if sources[key])
        OUT.print(
            f"int8       {sources.total()} operators ({report.metadata.preset}); input ranges: {ranges}"
        )
        OUT.print(f"float      {', '.join(_in_short(report.metadata.float_operators))}")
    for agreement in report.agreements:
        shape = shape_text(agreement.shape)
        most = f"{agreement.largest_difference:.2g} at most"
        OUT.print(f"verified   {shape}: {agreement.psnr:.1f} dB, {most} from PyTorch")
    if report.runtime_truncates:
        ERR.print(
            "this ONNX Runtime truncates FP16 values where it should round: the file loses quality in it, "
            "not in a newer one or in TensorRT"
        )
    if not report.agreements:
        ERR.print("not verified, as asked")
    ends = f", input and output {report.metadata.io}" if report.metadata.io else ""
    OUT.print(f"wrote      {report.path}: {report.metadata.precision}{ends}, opset {report.opset}")
    return 0


def _print_budget(table: BudgetTable) -> None:
    print_table(
        ["operators", "chosen", "lost alone", "noise", "range", "arithmetic"],
        [
            [
                ", ".join(row.operators),
                "int8" if row.int8 else "float",
                f"{row.loss:.4f} dB",
                f"{row.noise:.1f} dB",
                f"{row.clip:.0%}",
                f"{row.share:.1%}",
            ]
            for row in table.rows
        ],
        left=2,
    )
    faster = "" if table.speedup is None else f", {table.speedup:.2f} times as fast as float here"
    OUT.print(f"budget     {table.loss:.3f} dB lost on the calibration images{faster}")


def _in_short(modules: Sequence[str]) -> list[str]:
    """Count the modules that every block has as one: `16 conv.fused_conv`."""
    parts = Counter(re.sub(r"^layers\.\d+\.\d+\.", "", module) for module in modules)
    return [f"{count} {part}" if count > 1 else part for part, count in parts.items()]


def _profile(arguments: argparse.Namespace) -> Profile:
    given = {axis: getattr(arguments, axis) for axis in vars(Profile()) if getattr(arguments, axis)}
    if arguments.static is None:
        return Profile(**{axis: Range.parse(text, axis) for axis, text in given.items()})
    sizes = arguments.static.lower().split("x")
    if given or len(sizes) != 2:
        raise AetherError(
            f"--static {arguments.static}: expected HxW such as 256x256, without --batch, --height or --width"
        )
    height, width = (Range.parse(size, "--static") for size in sizes)
    return Profile(Range.only(1), height, width)
