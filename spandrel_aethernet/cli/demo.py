"""`aethernet demo`: the main jobs on bundled data."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from ..data import DEMO_MODEL, half_size, original
from ..evaluation.demo import PHOTOGRAPH, load_demo_model, run_demo
from ..evaluation.pairs import PairFiles
from .console import ERR, OUT
from .options import add_force, path
from .progress import bars

_RELEASE_NEEDS = ("onnx", "onnxruntime", "onnxscript", "skimage")

EXAMPLES = (
    "aethernet demo",
    "aethernet demo -o somewhere --force",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "-o",
        "--output",
        type=path,
        default=Path("aethernet-demo"),
        metavar="DIR",
        help="folder to write to (default: aethernet-demo)",
    )
    add_force(parser)


def run(arguments: argparse.Namespace) -> int:
    """Upscale, then release."""
    code = _upscale(arguments.output, force=arguments.force)
    missing = [package for package in _RELEASE_NEEDS if find_spec(package) is None]
    if missing:
        names = ", ".join(missing)
        ERR.print(f'no release made without {names}: pip install "spandrel-aethernet[onnx,compare]"')
        return code
    return code or _release(arguments.output / "release", force=arguments.force)


def _upscale(folder: Path, *, force: bool) -> int:
    descriptor = load_demo_model()
    ranges = descriptor.model.trained_ranges
    points = len(ranges.activations) if ranges else 0
    OUT.print(f"model       {DEMO_MODEL.name}, loaded by spandrel.ModelLoader")
    OUT.print(
        f"detected    {descriptor.architecture.name}: {', '.join(descriptor.tags)}, {descriptor.scale}x, "
        f"trained ranges of {points} points"
    )
    blocks = sum(descriptor.model.hyperparameters["depths"])
    OUT.print(f"fused       {blocks} pairs of large and small kernels into {blocks} kernels")
    with bars() as progress:
        result = run_demo(descriptor, folder, force=force, progress=progress)
    OUT.print(f"wrote       {result.upscaled}")
    OUT.print(f"            {result.comparison}  (bicubic | AetherNet | original)")
    OUT.print(f"PSNR        bicubic {result.bicubic_psnr:.2f} dB, AetherNet {result.aethernet_psnr:.2f} dB")
    if result.aethernet_psnr <= result.bicubic_psnr:
        ERR.print("AetherNet is no better than bicubic here: something is wrong with this installation")
        return 1
    return 0


def _release(folder: Path, *, force: bool) -> int:
    from .release import print_release, release_with_progress

    images = [PairFiles(original(PHOTOGRAPH), half_size(PHOTOGRAPH))]
    report = release_with_progress(DEMO_MODEL, folder, images=images, force=force)
    OUT.print(f"released    {report.folder}: {len(report.files)} models, model card, checksums")
    print_release(report)
    return 0
