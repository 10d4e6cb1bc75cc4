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
from ..model.io import named, read_state_dict
from .console import OUT, Subparsers, add_command, count, path, print_json, progress


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "benchmark",
        "time forward passes side by side: not fused and fused, or any model files",
        "aethernet benchmark",
        "aethernet benchmark aether_medium_4x.pth --sizes 64 256 --device cuda --json",
        "aethernet benchmark fp32.onnx fp32_int8.onnx --sizes 256 512",
        "aethernet benchmark aether_small_2x.pth fp16.engine fp16_int8.engine --device cuda",
    )
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
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print medians and ratios."""
    if len(arguments.files) == 1:
        names = ["not fused", "fused"]
        networks, channels = _forms(arguments.files[0], arguments.device)
    else:
        names = [file.name for file in arguments.files]
        networks, channels = _models(arguments.files, arguments.device)
    with progress() as bars:
        passes = len(networks) * len(arguments.sizes) * (arguments.repeats + 1)
        task = bars.add_task("passes", total=passes)
        timings = time_in_turns(
            networks,
            channels,
            arguments.sizes,
            repeats=arguments.repeats,
            on_pass=lambda: bars.advance(task),
        )
    if arguments.json:
        rows = [{**vars(timing), "ratios": timing.ratios} for timing in timings]
        print_json({"files": [str(file) for file in arguments.files], "networks": names, "timings": rows})
        return 0
    _print_table(names, timings, arguments.repeats)
    return 0


def _forms(file: Path, device: str) -> tuple[list[Forward], int]:
    with named(file):
        checkpoint = read_checkpoint(read_state_dict(file))
        if checkpoint.info.fused:
            raise CheckpointError("the file is fused already: give a not fused one, or several files")
    network = checkpoint.network()
    return both_forms(network, choose_device(device)), network.in_chans


def _models(files: Sequence[Path], device: str) -> tuple[list[Forward], int]:
    models = open_each(files, device=device)
    check_alike(models)
    return [model.backend for model in models], models[0].backend.channels


def _print_table(names: Sequence[str], timings: Sequence[Timing], repeats: int) -> None:
    width = max(map(len, names))
    OUT.print(f"{'input':>11}  {'network':<{width}}  {'median':>10}  speed   (medians of {repeats})")
    for timing in timings:
        size = f"{timing.side}×{timing.side}"
        for name, seconds, ratio in zip(names, timing.seconds, timing.ratios, strict=True):
            OUT.print(f"{size:>11}  {name:<{width}}  {seconds * 1e3:7.1f} ms  {ratio:5.2f}")
