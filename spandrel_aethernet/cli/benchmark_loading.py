"""`aethernet benchmark --loading`: what passes before the first image."""

from __future__ import annotations

import argparse

from ..errors import ArgumentError
from ..evaluation.loading import measure
from ..evaluation.machine import describe_machine
from .console import print_json, print_table
from .options import path
from .progress import bars


def run_loading(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if len(arguments.files) != 1:
        raise ArgumentError(
            f"{len(arguments.files)} files: expected one checkpoint to be loaded and exported"
        )
    with bars() as progress:
        figures = measure(path(arguments.files[0]), repeats=arguments.repeats, progress=progress)
    if arguments.json:
        described = [figure.describe() for figure in figures]
        print_json({"machine": describe_machine("cpu"), "figures": described})
        return 0
    rows = [
        [one.name, f"{one.seconds:.3g} s", f"{one.bound:.3g} s", f"{one.seconds / one.bound:.2f}"]
        for one in figures
    ]
    print_table(["what", "median", "bound", "ratio"], rows)
    return 0
