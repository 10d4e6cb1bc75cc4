"""`aethernet benchmark`: not fused against fused, side by side."""

from __future__ import annotations

import argparse

from ..backends.pytorch import choose_device
from ..benchmark import compare_forms
from ..checkpoint import read_checkpoint
from ..data import DEMO_MODEL
from ..errors import CheckpointError
from ..model_file import named, read_state_dict
from .console import OUT, Subparsers, add_command, count, path, print_json, progress


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "benchmark",
        "time forward passes of the not fused and the fused network side by side",
        "aethernet benchmark",
        "aethernet benchmark aether_medium_4x.pth --sizes 64 256 --device cuda --json",
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=path,
        default=DEMO_MODEL,
        help="not fused checkpoint (default: the demo model)",
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
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, mps")
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print medians and ratios."""
    with named(arguments.file):
        checkpoint = read_checkpoint(read_state_dict(arguments.file))
        if checkpoint.info.fused:
            raise CheckpointError("the file is fused already: give a not fused one to compare")
    device = choose_device(arguments.device)
    with progress() as bars:
        task = bars.add_task("passes", total=2 * len(arguments.sizes) * (arguments.repeats + 1))
        timings = compare_forms(
            checkpoint.network(),
            arguments.sizes,
            repeats=arguments.repeats,
            device=device,
            on_pass=lambda: bars.advance(task),
        )
    if arguments.json:
        rows = [{**vars(timing), "ratio": timing.ratio} for timing in timings]
        print_json({"file": str(arguments.file), "device": str(device), "timings": rows})
        return 0
    OUT.print(
        f"{'input':>11}  {'not fused':>10}  {'fused':>10}  ratio   (medians of {arguments.repeats}, {device})"
    )
    for timing in timings:
        size = f"{timing.side}×{timing.side}"
        OUT.print(
            f"{size:>11}  {timing.not_fused * 1e3:7.1f} ms  {timing.fused * 1e3:7.1f} ms  {timing.ratio:5.2f}"
        )
    return 0
