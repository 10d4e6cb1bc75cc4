"""`python -m tests.kills`: what is found after commands were killed at random moments (Linux)."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from .campaign import FAULTS, Row, run, table
from .commands import COMMANDS, write_sources
from .server import Server

KILLS = 300


def main() -> int:
    """Run the campaign and print the table; 1 if anything went wrong."""
    arguments = _arguments()
    commands = [command for command in COMMANDS if arguments.command in (None, command.name)]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        write_sources(folder / "sources")
        server = Server(folder)
        for row in run(
            server, commands, folder / "sources", folder, kills=arguments.kills, seed=arguments.seed
        ):
            rows.append(row)
            _tell(row)
        server.close()
    if arguments.json:
        print(json.dumps([_document(row) for row in rows], indent=2))  # noqa: T201
    else:
        print(table(rows))  # noqa: T201
    return 1 if any(row.faults for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help=f"of each by each signal (default: {KILLS})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", choices=[command.name for command in COMMANDS], help="one only")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def _tell(row: Row) -> None:
    for story in row.stories:
        print(story, file=sys.stderr)  # noqa: T201
    print(f"{row.command}, {row.signal}: {row.kills} kills", file=sys.stderr, flush=True)  # noqa: T201


def _document(row: Row) -> dict[str, object]:
    counts = {name: row.counts[name] for name in ("old", "new", *FAULTS)}
    return {
        "command": row.command,
        "signal": row.signal,
        "kills": row.kills,
        **counts,
        "stories": row.stories,
    }


if __name__ == "__main__":
    sys.exit(main())
