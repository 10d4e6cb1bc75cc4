"""What the commands print: answers to stdout, everything else to stderr."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .clean import clean


class Lines(Console):
    """Prints each string as one line, without what would act on the terminal; other things as Rich does."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Turn a string into what is printed."""
        return super().render_str(clean(text), **options)


# Tables are never wrapped or cut: programs read them too.
OUT = Lines(width=10_000, soft_wrap=True, highlight=False, markup=False, emoji=False)
ERR = Lines(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document to stdout, in ASCII without control characters but for the ends of lines."""
    text = json.dumps(document, indent=2, allow_nan=False)
    print(text.replace("\x7f", "\\u007f"))  # noqa: T201  (the one that is ASCII and JSON does not escape)


def print_rows(rows: Mapping[str, object], *, width: int = 10) -> None:
    """Print names, in a column of `width` or more, each with its value beside it."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(min_width=width, no_wrap=True)
    table.add_column(no_wrap=True)
    for name, value in rows.items():
        table.add_row(Text(clean(name)), Text(clean(str(value))))
    _print(table)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Print a table under its head: the first `left` columns to the left, numbers to the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    for number, name in enumerate(head):
        table.add_column(Text(clean(name)), justify="left" if number < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    _print(table)


def _print(table: Table) -> None:
    with OUT.capture() as captured:
        OUT.print(table)
    for line in captured.get().rstrip("\n").split("\n"):
        OUT.print(line.rstrip())
