"""`aethernet benchmark`: forward passes side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..data import DEMO_MODEL
from ..errors import CheckpointError
from ..evaluation.benchmark import Forward, Timing, both_forms, time_in_turns
from ..evaluation.compare import check_alike
from ..inference.open import open_each
from ..inference.pytorch import choose_device
from ..model.checkpoint import read_checkpoint
from ..model.io import named, read_checkpoint_file
from .console import print_json, print_table
from .options import add_json, add_trust, count, path
from .progress import bars

EXAMPLES = (
    "aethernet benchmark",
    "aethernet benchmark aether_medium_4x.pth --sizes 64 256 --device cuda --json",
    "aethernet benchmark fp32.onnx fp32_int8.onnx --sizes 256 512",
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
        help="one not fused checkpoint (default: the demo model), or several files of any kind",
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
    add_trust(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print medians and ratios."""
    if len(arguments.files) == 1:
        names = ["not fused", "fused"]
        networks, channels = _forms(arguments.files[0], arguments.device)
    else:
        names = [file.name for file in arguments.files]
        networks, channels = _models(arguments.files, arguments.device, trust=arguments.trust)
    with bars() as progress:
        timings = time_in_turns(
            networks, channels, arguments.sizes, repeats=arguments.repeats, progress=progress
        )
    if arguments.json:
        rows = [{**vars(timing), "ratios": timing.ratios} for timing in timings]
        print_json({"files": [str(file) for file in arguments.files], "networks": names, "timings": rows})
        return 0
    _print_table(names, timings, arguments.repeats)
    return 0


def _forms(file: Path, device: str) -> tuple[list[Forward], int]:
    with named(file):
        checkpoint = read_checkpoint(read_checkpoint_file(file).contents)
        if checkpoint.info.fused:
            raise CheckpointError("the file is fused already: give a not fused one, or several files")
    network = checkpoint.network()
    return both_forms(network, choose_device(device)), network.in_chans


def _models(files: Sequence[Path], device: str, *, trust: bool) -> tuple[list[Forward], int]:
    models = open_each(files, device=device, trust=trust)
    check_alike(models)
    return [model.backend for model in models], models[0].backend.channels


def _print_table(names: Sequence[str], timings: Sequence[Timing], repeats: int) -> None:
    rows = [
        [f"{timing.side}×{timing.side}", name, f"{seconds * 1e3:.1f} ms", f"{ratio:.2f}"]
        for timing in timings
        for name, seconds, ratio in zip(names, timing.seconds, timing.ratios, strict=True)
    ]
    print_table(["input", "network", f"median of {repeats}", "speed"], rows, left=2)
