"""`aethernet engine`: a TensorRT engine from an ONNX file or a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.progress import Progress

from ..command_line import command_line
from ..engines.as_onnx import DEFAULT_PRECISION, as_onnx
from ..engines.build import BuildReport, build_engine, check_engine_target
from ..engines.build_plan import BuildOptions, Plan, plan_build
from ..engines.profile import Shapes, fit_profile
from ..engines.runtime import FLAVOURS
from ..engines.trtexec import newer_spelling, trtexec_command
from ..errors import EngineError, OutputError
from .console import (
    ERR,
    OUT,
    Subparsers,
    add_command,
    add_force,
    add_weights,
    count,
    path,
    print_json,
    progress,
)
from .engine_text import counted, planned, rows, words


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "engine",
        "build a TensorRT engine from an ONNX file or a checkpoint",
        "aethernet engine aether_small_2x_fp16_int8.onnx -o aether_small_2x.engine",
        'aethernet engine aether_small_2x.pth -o rtx30.engine --target "RTX 3060"',
        "aethernet engine my_2x.onnx -o my_2x.engine --max-shapes input:1x3x2160x3840 --dry-run",
    )
    parser.add_argument("file", type=path, metavar="SOURCE", help="ONNX file, or checkpoint in any layout")
    parser.add_argument("-o", "--output", type=path, required=True, metavar="OUT.engine", help="to write")
    parser.add_argument(
        "--runtime", choices=FLAVOURS, default="auto", help="which TensorRT (default: RTX if installed)"
    )
    parser.add_argument(
        "--target",
        nargs="+",
        action="extend",
        default=[],
        metavar="GPU",
        help="such as 8.6 or 'RTX 3060', several allowed, or all (default: the GPU that is here, else all)",
    )
    for which, example in (("min", "1x3x32x32"), ("opt", "1x3x256x256"), ("max", "16x3x1080x1920")):
        parser.add_argument(
            f"--{which}-shapes",
            metavar="SHAPE",
            help=f"as for trtexec (default: the file's own profile, else input:{example})",
        )
    parser.add_argument(
        "--workspace", type=count, metavar="MIB", help="scratch memory at most (default: all)"
    )
    parser.add_argument(
        "--optimization-level",
        type=int,
        choices=range(6),
        help="how long to look for fast kernels (default: TensorRT's, 3)",
    )
    parser.add_argument(
        "--timing-cache",
        type=path,
        metavar="FILE",
        help="keep what was measured for the next build; version and GPU go into its name",
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16", "fp32-int8", "fp16-int8"),
        help=f"for checkpoints (default: {DEFAULT_PRECISION})",
    )
    parser.add_argument(
        "--calibrate", type=path, metavar="FOLDER", help="for checkpoints: images for ranges no observer saw"
    )
    parser.add_argument("--dry-run", action="store_true", help="tell what would be built, or why not")
    parser.add_argument("--print-trtexec", action="store_true", help="print trtexec's command for the same")
    parser.add_argument("--verbose", action="store_true", help="print all that TensorRT says")
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")
    add_weights(parser)
    add_force(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Build, or tell what would be built."""
    if arguments.dry_run or arguments.print_trtexec:
        return _tell(arguments)
    with progress() as bars:
        exporting = _Steps(bars)
        report = build_engine(
            arguments.file,
            arguments.output,
            _options(arguments),
            precision=arguments.precision,
            weights=arguments.weights,
            calibration=arguments.calibrate,
            force=arguments.force,
            verbose=arguments.verbose,
            monitor=_Phases(bars),
            on_message=_print_message if arguments.verbose else lambda _severity, _text: None,
            on_step=exporting.start,
            on_progress=exporting.advance,
        )
    _print_notes(report.notes)
    if arguments.json:
        print_json(report.describe())
    else:
        _print_report(report)
    return 0


class _Steps:
    """The bars of an export, one after the other."""

    def __init__(self, bars: Progress) -> None:
        self._bars, self._tasks = bars, list[Any]()

    def start(self, step: str, total: int) -> None:
        self._tasks.append(self._bars.add_task(step, total=total))

    def advance(self) -> None:
        self._bars.advance(self._tasks[-1])


class _Phases:
    """The bars of a build, indented as its phases lie in each other."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._open: dict[str, tuple[Any, int]] = {}

    def phase_start(self, name: str, parent: str | None, steps: int) -> None:
        depth = self._open[parent][1] + 1 if parent in self._open else 0
        self._open[name] = self._bars.add_task("  " * depth + name.lower(), total=steps), depth

    def step_complete(self, name: str, step: int) -> None:
        if name in self._open:
            self._bars.update(self._open[name][0], completed=step + 1)

    def phase_finish(self, name: str) -> None:
        if name in self._open:
            self._bars.remove_task(self._open.pop(name)[0])


def _options(arguments: argparse.Namespace) -> BuildOptions:
    return BuildOptions(
        runtime=arguments.runtime,
        targets=arguments.target,
        shapes=Shapes(arguments.min_shapes, arguments.opt_shapes, arguments.max_shapes),
        workspace=arguments.workspace,
        level=arguments.optimization_level,
        timing_cache=arguments.timing_cache,
    )


def _tell(arguments: argparse.Namespace) -> int:
    """Print what would be built, or trtexec's command; nothing is written."""
    with progress() as bars:
        exporting = _Steps(bars)
        exported = as_onnx(
            arguments.file,
            precision=arguments.precision,
            weights=arguments.weights,
            calibration=arguments.calibrate,
            verified=False,
            on_step=exporting.start,
            on_progress=exporting.advance,
        )
        with exported as onnx:
            plan = plan_build(onnx, _options(arguments))
    if arguments.print_trtexec:
        _print_trtexec(arguments, plan)
        return 0
    problems = list(plan.problems)
    try:
        check_engine_target(arguments.output, force=arguments.force)
    except OutputError as error:
        problems.append(str(error))
    _print_notes(plan.notes)
    document = planned(arguments.file, arguments.output, plan)
    if arguments.json:
        print_json({**document, "problems": problems, "notes": plan.notes})
    else:
        for name, value in document.items():
            OUT.print(f"{name:<11}{counted(value) if name == 'operators' else words(value)}")
        for problem in problems:
            OUT.print(f"would fail {problem}")
    return 1 if problems else 0


def _print_trtexec(arguments: argparse.Namespace, plan: Plan) -> None:
    if plan.source.errors:
        raise EngineError(plan.problems[0])
    options, precision = _options(arguments), plan.source.precision
    fp16, int8 = precision.startswith("fp16"), precision.endswith("int8")
    exporting = plan.source.path != arguments.file
    exported = Path(plan.source.path.name)
    command = trtexec_command(
        exported if exporting else plan.source.path,
        arguments.output,
        fit_profile(plan.source, options.shapes),
        input_name=plan.source.input_name,
        channels=plan.source.channels,
        int8=int8,
        fp16=fp16,
        workspace=options.workspace,
        level=options.level,
        timing_cache=options.timing_cache,
    )
    if exporting:
        preset = ["--preset", "tensorrt"] if int8 else []
        words = ("export", arguments.file, "-o", exported, "--precision", precision, *preset)
        ERR.print(f"first: {command_line('aethernet', *words)}")
    ERR.print(f"trtexec: {newer_spelling(int8=int8, fp16=fp16)}")
    OUT.print(command)


def _print_message(severity: str, text: str) -> None:
    ERR.print(f"{severity}: {text.strip()}")


def _print_notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        ERR.print(f"note: {note}")


def _print_report(report: BuildReport) -> None:
    info = report.info
    for text, times_said in report.warnings.items():
        ERR.print(f"TensorRT warns: {text}" + (f" ({times_said} times)" if times_said > 1 else ""))
    for name, value in rows(info).items():
        OUT.print(f"{name:<11}{value}")
    if report.timing_cache:
        OUT.print(f"timings    {report.timing_cache}")
    size = report.path.stat().st_size / 1e6
    OUT.print(f"wrote      {report.path}: {size:.1f} MB in {info.build_seconds:.1f} s")
