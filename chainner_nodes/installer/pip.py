# SPDX-License-Identifier: GPL-3.0-or-later
"""pip, as it is in the other Python."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryFile

from .python import InstallError, Python, version_numbers

_OLDEST = "22.2"  # the first with --dry-run and --report
_LINES_SHOWN = 8
_PEP440 = re.compile(
    r"(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.?post\d+|-\d+)?(\.?dev\d+)?(\+[a-z0-9]+([._-][a-z0-9]+)*)?"
)
"""Versions as packages have them (packaging.python.org, version specifiers)."""


def check_pip(python: Python) -> None:
    """Raise InstallError if there is no pip, or one that is too old for what is asked of it here."""
    version = python.version_of("pip")
    if version is None:
        raise InstallError(f"{python.executable} has no pip: run {python.executable} -m ensurepip")
    if version_numbers(version) < version_numbers(_OLDEST):
        raise InstallError(
            f"{python.executable} has pip {version}, and {_OLDEST} is needed: "
            f"run {python.executable} -m pip install --upgrade pip"
        )


def fetch(python: Python, requirements: Sequence[str], folder: Path) -> list[Path]:
    """Make wheels of what requirements need beyond what is installed, which is pinned, in a folder.

    Changes nothing in the Python. Raises InstallError if pip finds nothing that goes with what is installed.
    """
    constraints, report, wheels = folder / "installed.txt", folder / "report.json", folder / "fetched"
    installed = {name: found.version for name, found in python.distributions.items()}
    # pip refuses other versions, such as those of Debian's packages; what is changed is found out later.
    pins = (f"{name}=={version}\n" for name, version in installed.items() if _PEP440.fullmatch(version))
    constraints.write_text("".join(pins), encoding="utf-8")
    aim = f"fetch {', '.join(requirements)}"
    options = ("--prefer-binary", "--constraint", str(constraints))
    _run(python, aim, "install", "--dry-run", "--report", str(report), *options, *requirements)
    found = [item["metadata"] for item in json.loads(report.read_text(encoding="utf-8"))["install"]]
    exactly = [f"{item['name']}=={item['version']}" for item in found]
    _run(python, aim, "wheel", "--no-deps", "--wheel-dir", str(wheels), "--prefer-binary", *exactly)
    return sorted(wheels.iterdir())


def install(python: Python, wheels: Collection[Path]) -> None:
    """Install wheels and nothing else, over other versions of the same. Raises InstallError."""
    options = ("--no-deps", "--no-index", "--force-reinstall", "--no-warn-script-location")
    _run(python, "install", "install", *options, *map(str, wheels), to_its_end=True)


def uninstall(python: Python, names: Collection[str]) -> None:
    """Uninstall distributions. Raises InstallError."""
    _run(python, "uninstall", "uninstall", "--yes", *names, to_its_end=True)


def _run(python: Python, aim: str, *arguments: str, to_its_end: bool = False) -> None:
    """Run pip. With `to_its_end` Ctrl-C waits for it, as it leaves halves behind if it is interrupted."""
    with TemporaryFile() as output:
        process = subprocess.Popen(
            [
                str(python.executable),
                "-I",
                "-m",
                "pip",
                "--disable-pip-version-check",
                "--no-input",
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
            start_new_session=to_its_end,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) if to_its_end else 0,
        )
        try:
            process.wait()
        except KeyboardInterrupt:
            if not to_its_end:
                process.terminate()
            process.wait()
            raise
        output.seek(0)
        lines = output.read().decode("utf-8", "replace").strip().splitlines()
    if process.returncode:
        raise InstallError("\n  ".join([f"pip could not {aim}:", *lines[-_LINES_SHOWN:]]))


def _environment() -> dict[str, str]:
    """Return this process' variables without what would make pip install into another place."""
    elsewhere = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"}
    kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
    return kept | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
