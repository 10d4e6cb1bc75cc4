"""`aethernet benchmark --pipeline`: frames a second from end to end."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

import torch

from ..errors import ArgumentError
from ..evaluation.references import Enlarging
from ..evaluation.throughput import Conversions, Throughput, measure_conversions, measure_throughput
from ..inference.open import open_each
from ..inference.pipeline import Threads
from ..inference.pytorch import PyTorchBackend, choose_device, choose_dtype
from ..inference.tensors import TensorBackend
from ..model.first.network import AetherNet
from .console import OUT, print_json, print_table
from .progress import bars

_CONVERTED = "1080p"


def run_pipeline(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if len(arguments.files) != 1:
        raise ArgumentError(f"{len(arguments.files)} files: expected one to be timed from end to end")
    (model,) = open_each(arguments.files, device=arguments.device, trust=arguments.trust)
    assert isinstance(model.backend, TensorBackend)
    networks = {"enlarging": Enlarging(), "tiny": _tiny(arguments.device), model.path.name: model.backend}
    threads = Threads.default()
    with bars() as progress:
        conversions = measure_conversions(_CONVERTED)
        results = measure_throughput(networks, frames=arguments.frames, threads=threads, progress=progress)
    machine = {"cores": os.cpu_count(), "torch_threads": torch.get_num_threads(), "threads": str(threads)}
    if arguments.json:
        rows = [result.describe() for result in results]
        print_json({"machine": machine, "conversions": vars(conversions), "results": rows})
        return 0
    _print(conversions, results)
    return 0


def _tiny(device: str) -> PyTorchBackend:
    chosen = choose_device(device)
    network = AetherNet(embed_dim=16, depths=(1,), mlp_ratio=1.0, lk_kernel=5, scale=2).eval()
    return PyTorchBackend(network, chosen, choose_dtype("auto", chosen))


def _print(conversions: Conversions, results: Sequence[Throughput]) -> None:
    OUT.print(
        f"conversions of a {conversions.size} frame, to 2x: {conversions.now * 1e3:.0f} ms of CPU, "
        f"{conversions.before * 1e3:.0f} ms before ({conversions.before / conversions.now:.1f} times)"
    )
    OUT.print()
    OUT.print("frames a second, from memory to memory")
    _print_rates(
        ["network alone", "in memory", "before", "ratio to alone"],
        [(one, [one.alone, one.memory, one.memory_before], [one.memory / one.alone]) for one in results],
    )
    OUT.print()
    OUT.print("frames a second, from PNG files to PNG files: each stage alone, and all together")
    _print_rates(
        ["reading", "network", "writing", "all cores", "all", "before", "ratio to slowest", "ratio to least"],
        [
            (
                one,
                [one.read, one.memory, one.write, one.cpu, one.files, one.files_before],
                [one.files / one.slowest, one.files / one.least],
            )
            for one in results
        ],
    )


def _print_rates(
    head: Sequence[str], rows: Sequence[tuple[Throughput, Sequence[float | None], Sequence[float]]]
) -> None:
    """Print seconds a frame as frames a second, and ratios."""
    cells = [
        [
            one.size,
            one.network,
            *(f"{1 / part:.3g}" if part else "-" for part in seconds),
            *(f"{ratio:.2f}" for ratio in ratios),
        ]
        for one, seconds, ratios in rows
    ]
    print_table(["frames", "network", *head], cells, left=2)
