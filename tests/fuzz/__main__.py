"""`python -m tests.fuzz`: the table of what damaged and hostile files do, measured."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from ..artifacts import Artifacts
from .campaign import COLUMNS, COUNT, Answer, Row, Server, items, items_of, run, table
from .formats import FORMATS
from .seeds import read_seeds, write_seeds
from .trial import Item, made


def main() -> int:
    """Run the campaign and print the table; 1 if anything went wrong."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        (folder / "artifacts").mkdir()
        write_seeds(folder / "seeds", Artifacts(folder / "artifacts"))
        servers = [Server(folder / "seeds", folder / f"work{job}") for job in range(arguments.jobs)]
        chosen = _chosen(arguments)
        rows = run(servers, chosen, _Progress(len(chosen)).told)
        for server in servers:
            server.close()
        failures = [answer for row in rows.values() for answer in row.failures]
        if arguments.keep:
            _keep(failures, folder / "seeds", arguments.keep)
    _print(rows, failures, as_json=arguments.json)
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help=f"files that are tried (default: {COUNT})")
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


def _chosen(arguments: argparse.Namespace) -> list[Item]:
    if arguments.only is not None:
        return [[arguments.format, arguments.seed, arguments.only]]
    if arguments.format is not None:
        return items_of(arguments.format, arguments.count, arguments.seed)
    return items(arguments.count, arguments.seed)


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
        formats = {
            name: {"mutations": row.tried, "results": row.results}
            | {column: row.counts[column] for column in COLUMNS}
            for name, row in rows.items()
        }
        broken = [{"command": answer.command, **vars(answer)} for answer in failures]
        text = json.dumps({"formats": formats, "failures": broken}, indent=2)
    else:
        lines = [line for answer in failures for line in answer.lines()]
        text = "\n".join([table(rows), *([""] if lines else []), *lines])
    print(text)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
