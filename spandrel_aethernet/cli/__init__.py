"""The `aethernet` command: one module a subcommand, argument parsing and printing only."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from .. import __version__
from ..errors import AetherError
from . import benchmark, compare, demo, engine, export, fuse, info, lint, release, upscale

COMMANDS = (info, fuse, export, lint, engine, release, upscale, compare, demo, benchmark)
_EXTRAS = {"onnx": "onnx", "onnxruntime": "onnx", "onnxscript": "onnx"}
"""Optional packages, and the extra of ours that brings each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled."""
    # Linux only and read once by PyTorch's allocator: large tensors on huge pages, fewer page faults.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if isinstance(sys.stdout, TextIOWrapper):  # a path may have letters that a terminal has not
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except AetherError as error:
        print(f"aethernet: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None:
            raise
        hint = f'pip install "spandrel-aethernet[{extra}]"'
        print(f"aethernet: {error.name} is not installed here: {hint}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("aethernet: cancelled", file=sys.stderr)  # noqa: T201
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aethernet", description="Read, fuse and run AetherNet super-resolution models."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser
