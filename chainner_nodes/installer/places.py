# SPDX-License-Identifier: GPL-3.0-or-later
"""Where chaiNNer keeps its things: its data folder, its Python and its own code."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .python import InstallError, Python, ask, version_numbers

_IN_DATA_FOLDER = ("portable", "settings.json", "python", "backend-storage")
_SOURCES = (".", "src", "backend/src", "resources/src", "Contents/Resources/src")


@dataclass(frozen=True)
class Chainner:
    """One chaiNNer: its data folder, and the folder of its backend's code or None where that is not known."""

    root: Path
    source: Path | None

    def find_python(self, platform: str = sys.platform) -> tuple[Python, bool]:
        """Return the Python that chaiNNer runs on, and whether that is the system's, as its settings say.

        Raises InstallError if it has none that can be used, or if its settings cannot be read.
        """
        system = self._system_pythons()
        names = [*system, str(_integrated_python(self.root, platform))]
        failure: InstallError | None = None
        for executable in filter(None, map(shutil.which, names)):
            try:
                return ask(Path(executable)), executable != names[-1]
            except InstallError as error:
                failure = failure or error
        raise failure or InstallError(
            f"chaiNNer's Python is not in {self.root / 'python'}: start chaiNNer once, which puts it there, "
            f"or give chaiNNer's folder with --chainner or its Python with --python"
        )

    def _system_pythons(self) -> list[str]:
        """Return the names that chaiNNer tries before its own Python; none unless its settings say so."""
        path = self.root / "settings.json"
        try:
            settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            location = str(settings.get("systemPythonLocation") or "")
            return [location, "python3", "python"] if settings.get("useSystemPython") else []
        except FileNotFoundError:
            return []
        except (OSError, ValueError, AttributeError) as error:
            raise InstallError(f"{path} cannot be read: {error}. Name the Python with --python") from error


def find_chainner(
    given: Path | None, platform: str = sys.platform, environ: Mapping[str, str] = os.environ
) -> Chainner:
    """Return the chaiNNer in a given folder, or the one that is installed for this user.

    A given folder is its data folder, an unpacked portable chaiNNer, an installed one, a checkout of its
    source or the folder of its backend. Raises InstallError if it is none of these.
    """
    usual = _usual_root(platform, environ)
    if given is None:
        sources = (source for place in _usual_places(platform, environ) for source in _sources(place))
        return Chainner(usual, next(sources, None))
    source = next(_sources(given), None)
    for root in (given, given / "Contents" / "MacOS"):
        if any((root / name).exists() for name in _IN_DATA_FOLDER):
            return Chainner(root, source)
    if source is None:
        raise InstallError(
            f"{given} is no chaiNNer: give its data folder (usually {usual}), the folder of a portable one, "
            f"or a checkout of its source"
        )
    return Chainner(usual, source)


def check_source(source: Path) -> None:
    """Raise InstallError if chaiNNer's code has not what our nodes get in by."""
    text = (source / "api" / "api.py").read_text(encoding="utf-8")
    for name in ("class PackageRegistry", "class LoadErrorInfo", "def load_nodes", "def _refresh_nodes"):
        if name not in text:
            raise InstallError(f"the chaiNNer in {source} has no `{name}` in its api: update chaiNNer")


def _integrated_python(root: Path, platform: str) -> Path:
    folder = root / "python" / "python"
    if platform == "win32":
        return folder / "python.exe"
    found = (folder / "bin").glob("python3.*[0-9]")
    default = folder / "bin" / "python3.11"
    return max(found, key=lambda path: version_numbers(path.name.removeprefix("python")), default=default)


def _usual_root(platform: str, environ: Mapping[str, str]) -> Path:
    home = Path.home()
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / "chaiNNer"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "chaiNNer"
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "chaiNNer"


def _usual_places(platform: str, environ: Mapping[str, str]) -> list[Path]:
    home = Path.home()
    if platform == "win32":
        installs = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "chaiNNer"
        return sorted(installs.glob("app-*"), key=lambda path: version_numbers(path.name[4:]), reverse=True)
    if platform == "darwin":
        return [folder / "chaiNNer.app" for folder in (Path("/Applications"), home / "Applications")]
    return [Path("/usr/lib/chainner")]


def _sources(place: Path) -> Iterator[Path]:
    for name in _SOURCES:
        source = place / name
        if (source / "api" / "api.py").is_file() and (source / "packages" / "chaiNNer_pytorch").is_dir():
            yield source
