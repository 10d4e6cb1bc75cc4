"""`aethernet cache`: the engines that were built on first use."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING

from .console import ERR, OUT, print_json, print_table
from .engine_text import words
from .options import add_json

if TYPE_CHECKING:
    from ..engines.cache_entries import CachedEngine

ABOUT = """
`aethernet upscale --backend tensorrt` builds an engine of a checkpoint or an ONNX file when it is first used,
and keeps it. The environment variable SPANDREL_AETHERNET_CACHE names another folder for them.
"""

EXAMPLES = (
    "aethernet cache list",
    "aethernet cache clear --unused 90",
    "aethernet cache clear aether_small_2x.pth",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    listing = actions.add_parser("list", help="tell what is kept, the last used first")
    clearing = actions.add_parser("clear", help="remove all that is kept, or some of it")
    clearing.add_argument(
        "names", nargs="*", metavar="NAME", help="of a model whose engines go, or of an engine's file"
    )
    clearing.add_argument(
        "--unused",
        type=_days,
        default=0.0,
        metavar="DAYS",
        help="only what was not used for so many days",
    )
    for action in (listing, clearing):
        add_json(action)


def run(arguments: argparse.Namespace) -> int:
    """List the cache, or clear it."""
    return _list(arguments) if arguments.action == "list" else _clear(arguments)


def _list(arguments: argparse.Namespace) -> int:
    from ..engines.cache import cache_folder
    from ..engines.cache_entries import cached_engines

    folder, entries = cache_folder(), cached_engines()
    if arguments.json:
        print_json({"folder": str(folder), "engines": [entry.describe() for entry in entries]})
        return 0
    if entries:
        head = ("model", "precision", "for", "largest", "size", "built", "used", "file")
        print_table(head, [_row(entry) for entry in entries], left=len(head))
    size = sum(entry.size for entry in entries)
    ERR.print(f"{len(entries)} engines, {size / 1e6:.1f} MB in {folder}")
    return 0


def _row(entry: CachedEngine) -> list[str]:
    size, times = f"{entry.size / 1e6:.1f} MB", [_day(entry.built), _day(entry.used)]
    if entry.info is None:
        return ["damaged", "", "", "", size, *times, entry.path.name]
    info = entry.info
    largest = f"{info.profile.batch.max}x{info.profile.height.max}x{info.profile.width.max}"
    return [info.source, str(info.precision), words(info.targets), largest, size, *times, entry.path.name]


def _day(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d")


def _clear(arguments: argparse.Namespace) -> int:
    from ..engines.cache_entries import clear_engines

    cleared = clear_engines(names=arguments.names, unused_days=arguments.unused)
    size = sum(entry.size for entry in cleared.removed)
    if arguments.json:
        print_json(
            {
                "removed": [str(entry.path) for entry in cleared.removed],
                "bytes": size,
                "in_use": [str(path) for path in cleared.in_use],
            }
        )
    else:
        OUT.print(f"removed    {len(cleared.removed)} engines, {size / 1e6:.1f} MB")
    for path in cleared.in_use:
        ERR.print(f"kept       {path}, which is being built")
    return 0


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1
    if not 0 <= days < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number of days, found {text!r}")
    return days
