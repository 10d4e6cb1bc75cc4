"""`aethernet engine`: a TensorRT engine from an ONNX file or a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..engines import DEFAULT_PRECISION
from ..engines.build import BuildReport, build_engine, check_engine_target
from ..engines.build_plan import BuildOptions, Plan, plan_build
from ..engines.profile import Shapes, fit_profile
from ..engines.runtime import RUNTIMES
from ..engines.trtexec import command_line, newer_spelling, trtexec_command
from ..errors import EngineError, Message, OutputError
from ..precision import EXPORTED
from .console import ERR, OUT, print_json, print_rows
from .engine_text import counted, planned, rows, words
from .options import add_force, add_json, add_output, add_weights, count, option_words, path
from .progress import bars

EXAMPLES = (
    "aethernet engine aether_small_2x_fp16_int8.onnx -o aether_small_2x.engine",
    'aethernet engine aether_small_2x.pth -o rtx30.engine --target "RTX 3060"',
    "aethernet engine my_2x.onnx -o my_2x.engine --max-shapes input:1x3x2160x3840 --dry-run",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", type=path, metavar="SOURCE", help="ONNX file, or checkpoint in any layout")
    add_output(parser, "OUT.engine", "to write")
    parser.add_argument(
        "--runtime", choices=RUNTIMES, default="auto", help="which TensorRT (default: RTX if installed)"
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
        choices=[*map(str, EXPORTED)],
        help=f"for checkpoints (default: {DEFAULT_PRECISION})",
    )
    parser.add_argument(
        "--calibrate", type=path, metavar="FOLDER", help="for checkpoints: images for ranges no observer saw"
    )
    parser.add_argument("--dry-run", action="store_true", help="tell what would be built, or why not")
    parser.add_argument("--print-trtexec", action="store_true", help="print trtexec's command for the same")
    parser.add_argument("--verbose", action="store_true", help="print all that TensorRT says")
    add_json(parser)
    add_weights(parser)
    add_force(parser)


def run(arguments: argparse.Namespace) -> int:
    """Build, or tell what would be built."""
    if arguments.dry_run or arguments.print_trtexec:
        return _tell(arguments)
    with bars() as progress:
        report = build_engine(
            arguments.file,
            arguments.output,
            _options(arguments),
            **_exporting(arguments),
            force=arguments.force,
            verbose=arguments.verbose,
            on_message=_print_message if arguments.verbose else lambda _severity, _text: None,
            progress=progress,
        )
    notes = _texts(report.notes)
    _print_notes(notes)
    if arguments.json:
        print_json({**report.describe(), "notes": notes})
    else:
        _print_report(report)
    return 0


def _exporting(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what is for checkpoints."""
    return {
        "precision": arguments.precision,
        "weights": arguments.weights,
        "calibration": arguments.calibrate,
    }


def _options(arguments: argparse.Namespace) -> BuildOptions:
    return BuildOptions(
        runtime=arguments.runtime,
        targets=arguments.target,
        shapes=Shapes(arguments.min_shapes, arguments.opt_shapes, arguments.max_shapes),
        workspace=arguments.workspace,
        optimization_level=arguments.optimization_level,
        timing_cache=arguments.timing_cache,
    )


def _tell(arguments: argparse.Namespace) -> int:
    """Print what would be built, or trtexec's command; nothing is written."""
    with bars() as progress:
        plan = plan_build(arguments.file, _options(arguments), **_exporting(arguments), progress=progress)
    if arguments.print_trtexec:
        _print_trtexec(arguments, plan)
        return 0
    problems, notes = _texts(plan.problems), _texts(plan.notes)
    try:
        check_engine_target(arguments.output, force=arguments.force)
    except OutputError as error:
        problems.append(error.message.text(option_words))
    _print_notes(notes)
    document = planned(arguments.file, arguments.output, plan)
    if arguments.json:
        print_json({**document, "problems": problems, "notes": notes})
    else:
        told = {
            name: counted(value) if name == "operators" else words(value) for name, value in document.items()
        }
        print_rows(told)
        for problem in problems:
            OUT.print(f"would fail {problem}")
    return 1 if problems else 0


def _print_trtexec(arguments: argparse.Namespace, plan: Plan) -> None:
    source = plan.source
    if source.errors:
        first = plan.problems[0]
        raise EngineError(first.sentence, first.hint)
    options = _options(arguments)
    exported = Path(f"{arguments.file.stem}_{source.precision.file_stem}.onnx")
    command = trtexec_command(
        source.path or exported,
        arguments.output,
        fit_profile(source, options.shapes),
        input_name=source.input_name,
        channels=source.channels,
        precision=source.body,
        workspace=options.workspace,
        optimization_level=options.optimization_level,
        timing_cache=options.timing_cache,
    )
    if source.path is None:
        preset = ["--preset", "tensorrt"] if source.precision.int8 else []
        export = ("export", arguments.file, "-o", exported, "--precision", source.precision, *preset)
        ERR.print(f"first: {command_line('aethernet', *export)}")
    ERR.print(f"trtexec: {newer_spelling(source.body)}")
    OUT.print(command)


def _texts(messages: tuple[Message, ...]) -> list[str]:
    return [message.text(option_words) for message in messages]


def _print_message(severity: str, text: str) -> None:
    for line in f"{severity}: {text.strip()}".split("\n"):
        ERR.print(line)


def _print_notes(notes: list[str]) -> None:
    for note in notes:
        ERR.print(f"note: {note}")


def _print_report(report: BuildReport) -> None:
    info = report.info
    for text, times_said in report.warnings.items():
        ERR.print(f"TensorRT warns: {text}" + (f" ({times_said} times)" if times_said > 1 else ""))
    told = rows(info)
    if report.timing_cache:
        told["timings"] = str(report.timing_cache)
    size = report.path.stat().st_size / 1e6
    told["wrote"] = f"{report.path}: {size:.1f} MB in {info.build_seconds:.1f} s"
    print_rows(told)
