"""`aethernet benchmark`: forward passes side by side, frames from end to end, or loading."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial

import torch

from ..data import DEMO_MODEL
from ..errors import AetherError
from ..evaluation.benchmark import Ask, Size, growth, measure
from ..evaluation.charts import check_chart, write_chart
from ..evaluation.children import started
from ..evaluation.compare import check_same
from ..evaluation.contestants import Contestant, every_way, in_forms, names_of, parse_contestant
from ..evaluation.forms import read_network
from ..evaluation.machine import describe_machine
from ..evaluation.quality import measure_quality
from ..evaluation.runner import Loaded, Matrix, Runner
from ..inference.open import check_can_run
from ..progress import Progress
from .benchmark_loading import run_loading
from .benchmark_pipeline import run_pipeline
from .benchmark_text import Report, print_notes, print_report
from .console import ERR, print_json
from .options import add_force, add_json, add_trust, count, path
from .progress import bars

ABOUT = """
FILE may say how it is run: FILE@OPTION,OPTION with a backend (onnx, openvino, tensorrt), a dtype (float32,
float16, bfloat16), compile, a form (not-fused, fused, folded, or plain for the formula as written), a device
or provider (cpu, cuda:1), or KEY=VALUE for backend, device, dtype, provider, precision or weights.

Each contestant has a process of its own, and they take turns pass by pass. A time is that of the network
alone, on float32 values that are ready, in the tiles that upscale would take; the passes of a size are
fewer than asked for, but 3, where they take more than 10 seconds.
"""

EXAMPLES = (
    "aethernet benchmark",
    "aethernet benchmark aether_medium_4x.pth --sizes 64 256 --device cuda --json",
    "aethernet benchmark x.pth x.pth@bfloat16,compile fp32.onnx@openvino --sizes 256 640x480 1920x1080",
    "aethernet benchmark x.pth fp32.onnx --all --quality --plot speed.png",
    "aethernet benchmark first.pth second.pth second_fp32_int8.onnx --forms",
    "aethernet benchmark --pipeline --frames 8",
    "aethernet benchmark aether_small_2x.pth fp16.engine fp16_int8.engine --device cuda",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "files",
        nargs="*",
        default=[str(DEMO_MODEL)],
        metavar="FILE",
        help="one checkpoint, timed in all its forms too (default: the demo model), or several files of any "
        "kind, each with how it is run behind an @",
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--forms",
        action="store_true",
        help="of several files too, time each checkpoint not fused, fused, and folded as it is exported",
    )
    ways.add_argument(
        "--all",
        action="store_true",
        help="time each file that says nothing behind an @ in every way: checkpoints in float32 and "
        "bfloat16, both also compiled, ONNX files by ONNX Runtime and OpenVINO",
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=_size,
        default=[(64, 64), (128, 128), (256, 256)],
        metavar="N|WxH",
        help="of the input in pixels: side of a square, or width and height (default: 64 128 256)",
    )
    parser.add_argument("--repeats", type=count, default=7, help="counted passes of each (default: 7)")
    parser.add_argument(
        "--device", default="cpu", help="for checkpoints: cpu (default), cuda, mps; for engines: the GPU"
    )
    parser.add_argument(
        "--quality",
        action="store_true",
        help="tell PSNR on the bundled photographs too, against the first output and the originals",
    )
    parser.add_argument(
        "--plot",
        type=path,
        metavar="OUT",
        help="draw it as .png, .svg or .pdf: times against sizes, and bars",
    )
    parser.add_argument(
        "--pipeline",
        action="store_true",
        help="time frames from end to end instead, in memory and with PNG files: of one model file, a tiny "
        "network, and one that only enlarges",
    )
    parser.add_argument(
        "--loading",
        action="store_true",
        help="time what comes before the first image instead: importing, loading and exporting one "
        "checkpoint, calibrating an aether_large",
    )
    parser.add_argument(
        "--frames",
        type=count,
        default=32,
        metavar="N",
        help="of each size, for --pipeline (default: 32, fewer of what takes long)",
    )
    add_trust(parser)
    add_json(parser)
    add_force(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, draw."""
    if arguments.loading:
        return run_loading(arguments)
    if arguments.pipeline:
        arguments.files = [path(file) for file in arguments.files]
        return run_pipeline(arguments)
    if arguments.plot:
        check_chart(arguments.plot, force=arguments.force)
    contestants = _contestants(arguments)
    with bars() as progress, ExitStack() as stack:
        report = _measured(contestants, arguments, progress, stack)
    print_notes(report)
    if arguments.json:
        print_json({"files": arguments.files, **report.describe()})
    else:
        print_report(report)
    if arguments.plot:
        write_chart(report.names, report.sizes, arguments.plot, force=arguments.force)
        ERR.print(f"wrote {arguments.plot}")
    return 0


def _contestants(arguments: argparse.Namespace) -> list[Contestant]:
    """Return what is to be run. Raises what tells that a file cannot be, before any is read."""
    found = [parse_contestant(file) for file in arguments.files]
    for one in found:
        check_can_run([one.path], one.kind)
    contestants: list[Contestant] = []
    for one in found:
        own = [one]
        if one.words:
            pass
        elif arguments.all:
            own, notes = every_way(one, arguments.device)
            for note in notes:
                ERR.print(note)
        elif one.kind == "pytorch" and (arguments.forms or len(found) == 1):
            own = in_forms(one, fused=read_network(one.path).hyperparameters["fused"])
        contestants += own
    return [one.placed(arguments.device, trust=arguments.trust) for one in contestants]


def _measured(
    contestants: Sequence[Contestant], arguments: argparse.Namespace, progress: Progress, stack: ExitStack
) -> Report:
    """Start a process for each contestant, which `stack` ends, and measure."""
    threads = torch.get_num_threads()
    called = dict(zip(names_of(contestants), contestants, strict=True))
    running = {name: _ask(stack, progress, name, Runner, one, threads) for name, one in called.items()}
    matrix = _ask(stack, progress, "the product of matrices", Matrix, arguments.device, threads)
    loaded = _load(running, progress, optional=arguments.all)
    kept = [running[name] for name in loaded]
    sizes: list[Size] = arguments.sizes
    scale = next(iter(loaded.values())).scale
    quality = measure_quality(kept, scale, progress=progress) if arguments.quality else None
    results = measure(kept, matrix, sizes, repeats=arguments.repeats, progress=progress)
    machine = describe_machine(arguments.device)
    return Report(machine, called, loaded, results, growth(results), quality)


def _ask(stack: ExitStack, progress: Progress, name: str, make: type, *given: object) -> Ask:
    child = stack.enter_context(started(make, *given, name=name))
    return partial(child.ask, poll=progress.poll)


def _load(running: Mapping[str, Ask], progress: Progress, *, optional: bool) -> dict[str, Loaded]:
    """Load one after the other; if they are `optional`, what cannot be loaded is told of and left out."""
    progress.begin("loading", len(running))
    loaded: dict[str, Loaded] = {}
    for name, ask in running.items():
        try:
            loaded[name] = ask("load")
            ERR.print(loaded[name].description)
        except AetherError as error:
            last = name == [*running][-1]
            if not optional or (last and not loaded):
                raise
            ERR.print(f"{name} is left out: {error}")
        progress.advance()
    check_same([(name, one.scale, one.channels) for name, one in loaded.items()])
    return loaded


def _size(text: str) -> Size:
    """Turn `256` or `640x480` into width and height."""
    width, x, height = text.lower().partition("x")
    return count(width), count(height if x else width)
