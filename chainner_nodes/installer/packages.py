# SPDX-License-Identifier: GPL-3.0-or-later
"""The two packages that chaiNNer's Python gets, as they lie in this copy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .python import InstallError, Python

NODES, MODELS = "chainner-aethernet", "spandrel-aethernet"
"""The names of the distributions: the nodes, and what they work with."""

_LEFT_OUT = {"__pycache__", "tests", "typings"}
_REQUIRES = (
    "filelock>=3.12",
    "numpy>=1.24",
    "Pillow>=9.2",
    "platformdirs>=3.0",
    "pyvips[binary]>=3.0",
    "rich>=13",
    "safetensors>=0.4",
    "spandrel>=0.4.1",
    "torch>=2.7",
    "typing_extensions>=4.10",
)


@dataclass(frozen=True)
class Package:
    """A folder that is to become a distribution. `licences` are files, `licence` is their SPDX name."""

    name: str
    version: str
    summary: str
    folder: Path
    licence: str
    licences: tuple[Path, ...]
    requires: tuple[str, ...]

    def files(self) -> dict[str, Path]:
        """Return all of its files by their path in site-packages, with slashes."""
        return {
            (Path(self.folder.name) / path.relative_to(self.folder)).as_posix(): path
            for path in package_files(self.folder)
        }


def package_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a package in a fixed order, without what Python or an editor puts beside them."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not _LEFT_OUT.intersection(parts) and not any(part[0] == "." for part in parts):
            yield path


def our_packages() -> dict[str, Package]:
    """Return both packages by name. Raises InstallError if this copy is not whole."""
    nodes = Path(__file__).parents[1]
    models = nodes.with_name("spandrel_aethernet")
    version = _version(models)
    return {
        MODELS: Package(
            MODELS,
            version,
            "AetherNet super-resolution models for spandrel",
            models,
            "MIT",
            (_licence(models), models / "data" / "SOURCES.md"),
            _REQUIRES,
        ),
        NODES: Package(
            NODES,
            version,
            "AetherNet nodes for chaiNNer",
            nodes,
            "GPL-3.0-or-later",
            (nodes / "LICENSE",),
            (f"{MODELS}=={version}", "scikit-image>=0.20"),
        ),
    }


def is_current(package: Package, python: Python) -> bool:
    """Say whether a Python has exactly these files of a package."""
    if package.name not in python.own:
        return False
    try:
        return all(
            (python.site / name).read_bytes() == path.read_bytes() for name, path in package.files().items()
        )
    except OSError:
        return False


def _version(models: Path) -> str:
    try:
        text = (models / "__init__.py").read_text(encoding="utf-8")
    except OSError as error:
        raise InstallError(f"{models} is missing: run this in a whole copy of the project") from error
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise InstallError(f"{models} names no version: run this in a whole copy of the project")
    return found[1]


def _licence(models: Path) -> Path:
    """Return the licence of `spandrel_aethernet`: the one in its metadata, or a clone's."""
    installed = sorted(models.parent.glob("spandrel_aethernet-*.dist-info/licenses/LICENSE"))
    licence = installed[-1] if installed else models.parent / "LICENSE"
    if not licence.is_file():
        raise InstallError(f"{licence} is missing: run this in a whole copy of the project")
    return licence
