"""The `aethernet` command: one module a subcommand, argument parsing and printing only."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

from .. import __version__
from ..errors import AetherError, missing_extras
from .clean import clean
from .options import option_words
from .streams import until_written

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

COMMANDS: Mapping[str, str] = {
    "info": "tell what a checkpoint is: layout, hyper-parameters, trained ranges; or an engine",
    "fuse": "write a checkpoint in its fused form, after comparing both networks",
    "export": "write a checkpoint as an ONNX file: FP32, FP16, or INT8 with Q/DQ nodes",
    "lint": "check any ONNX file for what TensorRT's INT8 demands, and tell how much of it is INT8",
    "engine": "build a TensorRT engine from an ONNX file or a checkpoint",
    "cache": "list or remove the engines that were built on first use",
    "release": "make every form of a checkpoint, measure them and write a model card",
    "upscale": "upscale images, videos and folders of them",
    "compare": "measure quality and speed of models on the same images in one run",
    "demo": "upscale a bundled photograph with the bundled model, make a release of it and compare its files",
    "benchmark": "time forward passes side by side: not fused and fused, or any model files",
}
"""What each command does; its module here has `EXAMPLES`, `add_arguments`, `run`, and may have `ABOUT`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage, 141 nobody reads on.

    KeyboardInterrupt is for the caller.
    """
    # Linux only and read once by PyTorch's allocator: large tensors on huge pages, fewer page faults.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # Or threads of PyTorch that wait for each other keep the cores from those that read and write files.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if isinstance(sys.stdout, TextIOWrapper):  # a path may have letters that a terminal has not
        sys.stdout.reconfigure(errors="backslashreplace")
    return until_written(lambda: _run(sys.argv[1:] if argv is None else argv))


def _run(argv: Sequence[str]) -> int:
    try:
        with missing_extras():
            arguments = _parser(argv).parse_args(argv)
            return arguments.run(arguments)
    except AetherError as error:
        print(f"aethernet: {clean(error.message.text(option_words))}", file=sys.stderr)  # noqa: T201
        return 1


class _Parser(argparse.ArgumentParser):
    """Shows arguments of the caller without what acts on a terminal, and tells of what cannot be written."""

    def error(self, message: str) -> NoReturn:
        super().error(clean(message))

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        print(message, end="", file=file or sys.stderr)


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser, with the arguments of the one command that is called; no other is imported."""
    parser = _Parser(prog="aethernet", description="Read, fuse and run AetherNet super-resolution models.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = subparsers.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in argv[:1]:
            module = import_module(f".{name}", __name__)
            command.description = f"{command.description}\n{getattr(module, 'ABOUT', '')}"
            command.epilog = "\n".join(["examples:", *(f"  {example}" for example in module.EXAMPLES)])
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser
