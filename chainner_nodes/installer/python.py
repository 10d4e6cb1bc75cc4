# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python that chaiNNer runs on, asked what is in it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_OLDEST = (3, 10)
_PROBE = Path(__file__).with_name("probe.py")
_VERSION = "import sys; print('.'.join(map(str, sys.version_info[:3])))"


class InstallError(Exception):
    """What the installer refuses or could not do: one sentence that says what to do about it."""


@dataclass(frozen=True)
class Distribution:
    """One that is installed: its version, the folder it lies in, and the distributions it requires."""

    version: str
    folder: Path
    requires: tuple[str, ...]


@dataclass(frozen=True)
class Python:
    """A Python as it was when it was asked. `distributions` has their normalised names as keys.

    Packages with machine code go to `platform_site`, which on nearly every system is `site`.
    """

    executable: Path
    version: str
    site: Path
    platform_site: Path
    writable: bool
    platform: str
    machine: str
    booted: bool
    distributions: Mapping[str, Distribution]

    @cached_property
    def own(self) -> frozenset[str]:
        """What lies in its site-packages, and not in another folder that it looks into."""
        sites = {self.site.resolve(), self.platform_site.resolve()}
        return frozenset(
            name for name, found in self.distributions.items() if found.folder.resolve() in sites
        )

    def version_of(self, *names: str) -> str | None:
        """Return the version of the first of these distributions that is installed."""
        return next((self.distributions[name].version for name in names if name in self.distributions), None)


def normalised(name: str) -> str:
    """Return the one spelling of a distribution's name; what follows it in a requirement is cut off."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name, maxsplit=1)[0]).lower()


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with, for comparisons."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in numbers[0].split(".")) if numbers else ()


def ask(executable: Path) -> Python:
    """Run a Python to learn about it. Raises InstallError if that cannot be, or it is older than 3.10."""
    version = _output(executable, "-c", _VERSION)
    if version_numbers(version)[:2] < _OLDEST:
        raise InstallError(f"{executable} is Python {version}, and 3.10 is needed: name another by --python")
    try:
        answer = json.loads(_output(executable, "-I", "-B", str(_PROBE)))
        distributions = {
            normalised(name): Distribution(found["version"], Path(found["folder"]), tuple(found["requires"]))
            for name, found in answer.pop("distributions").items()
        }
        sites = Path(answer.pop("site")), Path(answer.pop("platform_site"))
        return Python(executable, version, *sites, distributions=distributions, **answer)
    except (ValueError, KeyError) as error:
        raise InstallError(f"{executable} did not tell what is installed in it: {error}") from error


def _output(executable: Path, *arguments: str) -> str:
    """Return the last line that a Python prints."""
    try:
        result = subprocess.run(
            [str(executable), *arguments],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise InstallError(f"{executable} does not run: {error.strerror or error}") from error
    lines = (result.stdout if result.returncode == 0 else result.stderr).strip().splitlines() or [""]
    if result.returncode:
        raise InstallError(f"{executable} does not work as a Python: {lines[-1] or 'it prints nothing'}")
    return lines[-1]
