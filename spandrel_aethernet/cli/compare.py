"""`aethernet compare`: quality and speed of several models on the same images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..errors import OutputError
from ..evaluation.compare import check_alike, compare_models, worst_picture
from ..evaluation.pairs import find_pairs
from ..evaluation.results import Comparison, ModelResult, describe
from ..files import check_target
from ..images.files import FORMATS, Picture, format_of, write_picture
from ..inference.open import check_can_run, open_each
from .console import ERR, print_json, print_table
from .options import add_force, add_json, add_trust, count, path
from .progress import bars

ABOUT = """
Every image at and below FOLDER is an original: cropped to a multiple of the scale, then shrunk by the
scale with Pillow's BICUBIC to make the models' input. Where NAME_hr and NAME_lr lie side by side and
their sizes fit the scale, NAME_lr is the input as it is. All is measured on 8-bit RGB.

PSNR and SSIM are means against the originals, 2 pixels on each side left out. "to first" compares with
the first model's output: PSNR in dB, and the largest difference in steps of 8 bits. Times are medians
for one image, without reading and writing; the models take turns image by image, after one tile each
that is not counted, and "speed" is how many times as fast as the first a model is.
"""

EXAMPLES = (
    "aethernet compare aether_small_2x.pth aether_small_2x_fp32_int8.onnx --images photos/",
    "aethernet compare *.pth *.onnx --images photos/ --picture worst.png --json > compare.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "models", nargs="+", type=path, metavar="MODEL", help="checkpoints, ONNX files, engines"
    )
    parser.add_argument("--images", type=path, required=True, metavar="FOLDER", help="folder of originals")
    parser.add_argument("--repeats", type=count, default=3, metavar="N", help="counted passes (default: 3)")
    parser.add_argument(
        "--device",
        default="auto",
        help="for checkpoints: auto (default), cpu, cuda, cuda:1, mps; for engines: the GPU",
    )
    parser.add_argument(
        "--provider", default="auto", metavar="NAME", help="for ONNX files: auto (default), cpu, cuda, dml …"
    )
    add_json(parser)
    parser.add_argument(
        "--picture",
        type=path,
        metavar="OUT",
        help="draw the crop where each model differs most from the first, the first from the original",
    )
    add_trust(parser)
    add_force(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, draw."""
    if arguments.picture:
        _check_picture(arguments.picture, force=arguments.force)
    check_can_run(arguments.models)
    files = find_pairs(arguments.images)
    models = open_each(
        arguments.models,
        device=arguments.device,
        dtype="float32",  # what the others are compared with
        provider=arguments.provider,
        trust=arguments.trust,
    )
    check_alike(models)
    for model in models:
        ERR.print(model.description)
    with bars() as progress:
        comparison = compare_models(models, files, repeats=arguments.repeats, progress=progress)
    if arguments.json:
        print_json(describe(comparison))
    else:
        print_comparison(comparison)
    if arguments.picture:
        write_picture(Picture(worst_picture(comparison)), arguments.picture, force=arguments.force)
        ERR.print(f"wrote {arguments.picture}")
    return 0


def print_comparison(comparison: Comparison) -> None:
    """Print one row a model."""
    rows: list[list[str]] = []
    for name, result in zip(_names(comparison.models), comparison.models, strict=True):
        first = result is comparison.models[0]
        rows.append(
            [
                name,
                f"{result.psnr:.2f} dB",
                f"{result.ssim:.4f}",
                "-" if first else f"{result.difference_psnr:.1f} dB",
                "-" if first else f"{result.largest_difference}/255",
                f"{result.seconds * 1e3:.1f} ms",
                f"{comparison.ratio(result):.2f}",
            ]
        )
    print_table(["model", "PSNR", "SSIM", "to first", "at most", "time", "speed"], rows)


def _names(results: Sequence[ModelResult]) -> list[str]:
    names = [result.model.name for result in results]
    return names if len(set(names)) == len(names) else [str(result.model) for result in results]


def _check_picture(target: Path, *, force: bool) -> None:
    if format_of(target) is None:
        raise OutputError(f"{target} is not named like an image: expected one of {', '.join(FORMATS)}")
    check_target(target, force=force)
