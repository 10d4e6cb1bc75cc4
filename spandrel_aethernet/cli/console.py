"""What the commands print: answers to stdout, everything else to stderr."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

OUT = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
ERR = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


class Subparsers(Protocol):
    """What `ArgumentParser.add_subparsers` returns."""

    def add_parser(self, name: str, **kwargs: Any) -> argparse.ArgumentParser:
        """Add one command."""
        ...


def add_command(subparsers: Subparsers, name: str, summary: str, *examples: str) -> argparse.ArgumentParser:
    """Add a command whose help ends with examples, one shell command each."""
    return subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add the choice between the weights of a QAT checkpoint."""
    parser.add_argument(
        "--weights",
        choices=("grid", "raw"),
        default="grid",
        help="weights of a QAT checkpoint: on the int8 grid they were trained on (default), or raw",
    )


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add `--force`."""
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document to stdout."""
    print(json.dumps(document, indent=2, allow_nan=False))  # noqa: T201


def progress() -> Progress:
    """Return a progress display on stderr, gone when it is done and absent where stderr is no terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=ERR,
        transient=True,
        disable=not ERR.is_terminal,
    )


def path(text: str) -> Path:
    """Turn an argument into a path, `~` expanded where it stands for a home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def count(text: str) -> int:
    """Turn an argument into a whole number from 1 to what fits 32 bits."""
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number < 2**31:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {2**31 - 1}, found {text!r}")
    return number
