"""Arguments that several commands share, and how arguments of functions are called here."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

_OPTIONS: Mapping[str, str] = {"targets": "target", "calibration": "calibrate", "verified": "verify"}
"""Options that are not called as the arguments they are for."""


class Arguments(Protocol):
    """A parser, or a group of its arguments."""

    def add_argument(self, *names: str, **settings: Any) -> Any:
        """Add one."""
        ...


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the checkpoint that a command is about."""
    parser.add_argument("file", type=path, help="checkpoint in any layout")


def add_output(parser: argparse.ArgumentParser, name: str, what: str) -> None:
    """Add `-o`, which must be given."""
    parser.add_argument("-o", "--output", type=path, required=True, metavar=name, help=what)


def add_weights(parser: Arguments) -> None:
    """Add the choice between the weights of a QAT checkpoint."""
    parser.add_argument(
        "--weights",
        choices=("grid", "raw"),
        default="grid",
        help="weights of a QAT checkpoint: on the int8 grid they were trained on (default), or raw",
    )


def add_json(parser: argparse.ArgumentParser, what: str = "one JSON document") -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help=f"print {what} to stdout")


def add_force(parser: Arguments) -> None:
    """Add `--force`."""
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def add_trust(parser: Arguments) -> None:
    """Add `--trust`."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run an engine that no description lies beside: an engine is a program, know who built it",
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


def decimal(text: str) -> float:
    """Turn an argument into a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r}") from None


def option_words(argument: str, value: object) -> str:
    """Name an argument of a hint as an option, with the value to give it: `--force`, `--tile 64`.

    None leaves the value open (`--tile`), True is a flag, False turns one off (`--no-engine`).
    """
    name = _OPTIONS.get(argument, argument).replace("_", "-")
    if value is False:
        return f"--no-{name}"
    return f"--{name}" if value is None or value is True else f"--{name} {value}"
