"""`aethernet release`: the whole published folder from one checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engines.runtime import TITLES
from .compare import print_comparison
from .console import ERR, OUT, print_json
from .engine_text import words
from .options import add_checkpoint, add_force, add_json, add_output, add_weights, count, path
from .progress import bars

if TYPE_CHECKING:
    from ..release.report import ReleaseReport

ABOUT = """
DIR will hold the fused checkpoint as .pth and .safetensors (and the not fused one, if FILE is that), ONNX
files in FP32, FP16 and both with INT8, a TensorRT engine for NVIDIA's RTX cards if TensorRT for RTX is
installed, with --triton a model repository for NVIDIA Triton, README.md with what was measured, report.json
and SHA256SUMS. It takes its name when all of it is there.
"""

EXAMPLES = (
    "aethernet release aether_small_2x_qat.pth -o aether_small_2x",
    "aethernet release mine.pth -o mine_4x --name mine --images photos/ --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_checkpoint(parser)
    add_output(parser, "DIR", "folder to make")
    parser.add_argument("--name", help="what files are called by (default: the variant)")
    parser.add_argument(
        "--images", type=path, metavar="FOLDER", help="originals to measure on (default: bundled photographs)"
    )
    parser.add_argument(
        "--calibrate",
        type=path,
        metavar="FOLDER",
        help="images for the ranges that training left open (default: bundled photographs)",
    )
    parser.add_argument("--repeats", type=count, default=1, metavar="N", help="counted passes (default: 1)")
    parser.add_argument("--no-engine", action="store_true", help="make no TensorRT engine")
    parser.add_argument(
        "--triton", action="store_true", help="add a model repository for NVIDIA Triton with the FP16 file"
    )
    add_json(parser, "report.json")
    add_weights(parser)
    add_force(parser)


def run(arguments: argparse.Namespace) -> int:
    """Make the folder and list its files."""
    from ..release.report import describe_release

    report = release_with_progress(
        arguments.file,
        arguments.output,
        name=arguments.name,
        images=arguments.images,
        calibration=arguments.calibrate,
        weights=arguments.weights,
        repeats=arguments.repeats,
        engine=False if arguments.no_engine else None,
        triton=arguments.triton,
        force=arguments.force,
    )
    if arguments.json:
        print_json(describe_release(report))
        return 0
    print_release(report)
    OUT.print(f"wrote      {report.folder}: {len(report.files)} models, README.md, report.json, SHA256SUMS")
    return 0


def print_release(report: ReleaseReport) -> None:
    """Print what was measured, what the engine is for, and what Triton serves."""
    print_comparison(report.comparison)
    if report.engine:
        info = report.engine.info
        built = f"{info.precision}, by {TITLES[info.runtime]} {info.version} in {info.build_seconds:.1f} s"
        OUT.print(f"engine     for {words(info.targets)}: {built}")
    if report.triton:
        OUT.print(f"triton     {report.triton.name}: batches of up to {report.triton.max_batch_size}")


def release_with_progress(source: Path, target: Path, **options: Any) -> ReleaseReport:
    """Call `make_release` with a progress bar for each of its steps, and say why there is no engine."""
    from ..release.make import make_release

    with bars() as progress:
        report = make_release(source, target, **options, progress=progress)
    if report.no_engine:
        ERR.print(f"no engine: {report.no_engine}")
    return report
