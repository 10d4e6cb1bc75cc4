# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m chainner_nodes`: installs the nodes into chaiNNer, removes them, tells how they are."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from subprocess import list2cmdline

from .installer.install import Installation
from .installer.places import Chainner, find_chainner
from .installer.python import InstallError, Python, ask
from .installer.state import look
from .installer.status import lines, package_lines, status
from .installer.uninstall import uninstall

_ABOUT = """
Puts the AetherNet nodes into chaiNNer's own Python, where they also stay when chaiNNer updates itself.
What is installed there is not replaced: torch, onnx, onnxruntime, numpy and spandrel stay as they are.
"""
_EXAMPLES = """
examples:
  python -m chainner_nodes install
  python -m chainner_nodes install --chainner D:/chaiNNer-portable
  python -m chainner_nodes status
  python -m chainner_nodes uninstall
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a path may have letters that a terminal has not
            stream.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    try:
        chainner = find_chainner(arguments.chainner)
        python, system = _find_python(arguments.python, chainner)
        return arguments.run(arguments, chainner, python, system)
    except (InstallError, OSError) as error:
        print(f"chainner_nodes: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("chainner_nodes: cancelled", file=sys.stderr)  # noqa: T201
        return 130


def _install(arguments: argparse.Namespace, chainner: Chainner, python: Python, system: bool) -> int:
    _say(_greeting(python, system))
    installation = Installation(python, chainner)
    if installation.is_done:
        _say("everything is up to date")
    else:
        installation.run(_say, dry_run=arguments.dry_run)
    if arguments.dry_run:
        return 0
    for line in package_lines(ask(python.executable)):
        _say(line)
    places = {"--python": arguments.python, "--chainner": arguments.chainner}
    given = [word for option, place in places.items() if place for word in (option, str(place))]
    _say("done. Restart chaiNNer")
    _say(f"to undo it: {_command_line(['python', '-m', 'chainner_nodes', 'uninstall', *given])}")
    return 0


def _uninstall(arguments: argparse.Namespace, _chainner: Chainner, python: Python, system: bool) -> int:
    _say(_greeting(python, system))
    uninstall(look(python), _say, dry_run=arguments.dry_run)
    return 0


def _status(arguments: argparse.Namespace, chainner: Chainner, python: Python, system: bool) -> int:
    document = status(python, chainner, system=system)
    for line in [json.dumps(document, indent=2)] if arguments.json else lines(document):
        _say(line)
    return 0 if document["ok"] else 1


def _find_python(given: Path | None, chainner: Chainner) -> tuple[Python, bool]:
    if given is None:
        return chainner.find_python()
    found = shutil.which(str(given))
    if found is None:
        raise InstallError(f"{given} is no program: give the Python that chaiNNer runs on")
    return ask(Path(found).absolute()), False


def _greeting(python: Python, system: bool) -> str:
    whose = ", the system's, as chaiNNer's settings say" if system else ""
    return f"Python {python.version}, {python.executable}{whose}"


def _command_line(words: list[str], platform: str = sys.platform) -> str:
    return list2cmdline(words) if platform == "win32" else shlex.join(words)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chainner_nodes",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    places = argparse.ArgumentParser(add_help=False)
    places.add_argument("--python", type=Path, metavar="PATH", help="the Python that chaiNNer runs on")
    places.add_argument(
        "--chainner",
        type=lambda text: Path(text).absolute(),
        metavar="PATH",
        help="chaiNNer's data folder, a portable chaiNNer, or a checkout of its source",
    )
    dry_run = argparse.ArgumentParser(add_help=False)
    dry_run.add_argument("--dry-run", action="store_true", help="tell every step and change nothing")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    install = commands.add_parser("install", parents=[places, dry_run], help="install or update the nodes")
    install.set_defaults(run=_install)
    remove = commands.add_parser("uninstall", parents=[places, dry_run], help="remove all that install added")
    remove.set_defaults(run=_uninstall)
    shown = commands.add_parser("status", parents=[places], help="tell versions, what is missing, what helps")
    shown.add_argument("--json", action="store_true", help="print JSON to stdout")
    shown.set_defaults(run=_status)
    return parser


if __name__ == "__main__":
    sys.exit(main())
