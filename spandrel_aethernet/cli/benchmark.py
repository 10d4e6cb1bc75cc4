"""`aethernet benchmark`: forward passes side by side, or frames from end to end."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..data import DEMO_MODEL
from ..evaluation.benchmark import Forward, Timing, forms, time_in_turns
from ..evaluation.compare import check_alike
from ..inference.open import open_each
from ..inference.pytorch import choose_device
from ..model.checkpoint import read_checkpoint
from ..model.io import SUFFIXES, named, read_checkpoint_file
from .benchmark_pipeline import run_pipeline
from .console import print_json, print_table
from .options import add_json, add_trust, count, path
from .progress import bars

EXAMPLES = (
    "aethernet benchmark",
    "aethernet benchmark aether_medium_4x.pth --sizes 64 256 --device cuda --json",
    "aethernet benchmark fp32.onnx fp32_int8.onnx --sizes 256 512",
    "aethernet benchmark first.pth second.pth second_fp32_int8.onnx --forms",
    "aethernet benchmark --pipeline --frames 20",
    "aethernet benchmark aether_small_2x.pth fp16.engine fp16_int8.engine --device cuda",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "files",
        nargs="*",
        type=path,
        default=[DEMO_MODEL],
        metavar="FILE",
        help="one checkpoint, timed in all its forms (default: the demo model), or several files of any kind",
    )
    parser.add_argument(
        "--forms",
        action="store_true",
        help="of several files, time each checkpoint not fused, fused, and folded as it is exported",
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=count,
        default=[64, 128, 256],
        metavar="N",
        help="sides of the square input in pixels",
    )
    parser.add_argument("--repeats", type=count, default=7, help="counted passes of each (default: 7)")
    parser.add_argument(
        "--device", default="cpu", help="for checkpoints: cpu (default), cuda, mps; for engines: the GPU"
    )
    parser.add_argument(
        "--pipeline",
        action="store_true",
        help="time frames from end to end instead, in memory and with PNG files: of one model file, a tiny "
        "network, and one that only enlarges",
    )
    parser.add_argument(
        "--frames", type=count, default=8, metavar="N", help="of each size, for --pipeline (default: 8)"
    )
    add_trust(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print medians and ratios."""
    if arguments.pipeline:
        return run_pipeline(arguments)
    models = open_each(arguments.files, device=arguments.device, trust=arguments.trust)
    check_alike(models)
    named_models: dict[str, Forward] = {}
    for file, model in zip(arguments.files, models, strict=True):
        in_forms = file.suffix.lower() in SUFFIXES and (arguments.forms or len(arguments.files) == 1)
        alone = {"": model.backend}
        for form, forward in (_forms(file, arguments.device) if in_forms else alone).items():
            named_models[", ".join(part for part in (file.name, form) if part)] = forward
    names, networks = list(named_models), list(named_models.values())
    with bars() as progress:
        timings = time_in_turns(
            networks,
            models[0].backend.channels,
            arguments.sizes,
            repeats=arguments.repeats,
            progress=progress,
        )
    if arguments.json:
        rows = [{**vars(timing), "ratios": timing.ratios} for timing in timings]
        print_json({"files": [str(file) for file in arguments.files], "networks": names, "timings": rows})
        return 0
    _print_table(names, timings, arguments.repeats)
    return 0


def _forms(file: Path, device: str) -> dict[str, Forward]:
    with named(file):
        network = read_checkpoint(read_checkpoint_file(file).contents).network()
    return forms(network, choose_device(device))


def _print_table(names: Sequence[str], timings: Sequence[Timing], repeats: int) -> None:
    rows = [
        [f"{timing.side}×{timing.side}", name, f"{seconds * 1e3:.1f} ms", f"{ratio:.2f}"]
        for timing in timings
        for name, seconds, ratio in zip(names, timing.seconds, timing.ratios, strict=True)
    ]
    print_table(["input", "network", f"median of {repeats}", "speed"], rows, left=2)
