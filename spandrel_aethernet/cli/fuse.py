"""`aethernet fuse`: a fused checkpoint file from any layout."""

from __future__ import annotations

import argparse

from .console import OUT
from .options import add_checkpoint, add_force, add_output, add_weights

EXAMPLES = (
    "aethernet fuse aether_small_2x.pth -o aether_small_2x_fused.pth",
    "aethernet fuse aether_small_2x_qat.pth -o aether_small_2x_fused.safetensors --dtype float16",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_checkpoint(parser)
    add_output(parser, "OUT", ".pth (exactly the published keys) or .safetensors (trained ranges too)")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="default: float32")
    add_weights(parser)
    add_force(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the file and print the largest difference."""
    import torch

    from ..model.fuse_file import fuse_file

    report = fuse_file(
        arguments.file,
        arguments.output,
        dtype=getattr(torch, arguments.dtype),
        weights=arguments.weights,
        force=arguments.force,
    )
    found = report.found
    OUT.print(f"found      {found.variant}, {found.layout}")
    OUT.print(f"difference {report.difference:.3g} at most between the network as found and the fused one")
    if arguments.dtype != "float32":
        OUT.print(f"           {report.written_difference:.3g} with weights rounded to {arguments.dtype}")
    ranges = " with the trained ranges" if report.keeps_ranges else ""
    OUT.print(f"wrote      {arguments.output}{ranges}")
    return 0
