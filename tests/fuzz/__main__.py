"""`python -m tests.fuzz`: the table of what damaged and hostile files do, measured."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from ..artifacts import Artifacts
from .campaign import Answer, Row, Server, run, table
from .formats import FORMATS
from .seeds import read_seeds, write_seeds
from .trial import Item, made

COUNT = 20_000
_SHARES = {"checkpoints": 0.45, "onnx": 0.3, "engines": 0.1, "images": 0.15}


def main() -> int:
    """Run the campaign and print the table; 1 if anything went wrong."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        (folder / "artifacts").mkdir()
        write_seeds(folder / "seeds", Artifacts(folder / "artifacts"))
        servers = [Server(folder / "seeds", folder / f"work{job}") for job in range(arguments.jobs)]
        items = _items(arguments)
        progress = _Progress(len(items))
        rows = run(servers, items, progress.told)
        for server in servers:
            server.close()
        failures = [answer for row in rows.values() for answer in row.failures]
        if arguments.keep:
            _keep(failures, folder / "seeds", arguments.keep)
    _print(rows, failures, as_json=arguments.json)
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--count", type=int, default=COUNT, help=f"of all formats together (default: {COUNT})"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=tuple(FORMATS), help="one format only")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one file only, with --format")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="write the files that broke something here"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side (default: 2)")
    arguments = parser.parse_args()
    if arguments.only is not None and arguments.format is None:
        parser.error("--only needs --format")
    return arguments


def _items(arguments: argparse.Namespace) -> list[Item]:
    if arguments.only is not None:
        return [[arguments.format, arguments.seed, arguments.only]]
    if arguments.format is not None:
        return [[arguments.format, arguments.seed, number] for number in range(arguments.count)]
    return items(arguments.count, arguments.seed)


def items(count: int, seed: int) -> list[Item]:
    """Return so many items of all formats, each format's share of them."""
    return [[name, seed, number] for name, share in _SHARES.items() for number in range(round(count * share))]


class _Progress:
    def __init__(self, total: int) -> None:
        self._total, self._done, self._since = total, 0, time.monotonic()

    def told(self, answer: Answer) -> None:
        self._done += 1
        for line in answer.lines():
            print(line, file=sys.stderr)  # noqa: T201
        if self._done % 500 == 0:
            seconds = time.monotonic() - self._since
            print(f"{self._done} of {self._total}, {seconds:.0f} s", file=sys.stderr)  # noqa: T201


def _keep(failures: list[Answer], seeds: Path, folder: Path) -> None:
    sound = read_seeds(seeds)
    for answer in failures:
        place = folder / "-".join(map(str, answer.item))
        place.mkdir(parents=True, exist_ok=True)
        made(answer.item, sound)[0].write(place)


def _print(rows: dict[str, Row], failures: list[Answer], *, as_json: bool) -> None:
    if as_json:
        document = {
            name: {"tried": row.tried, "results": row.results, **row.counts} for name, row in rows.items()
        }
        broken = [vars(answer) for answer in failures]
        print(json.dumps({"formats": document, "failures": broken}, indent=2))  # noqa: T201
        return
    print(table(rows))  # noqa: T201
    if failures:
        print()  # noqa: T201
    for answer in failures:
        for line in answer.lines():
            print(line)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
