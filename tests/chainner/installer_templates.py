"""The places that tests begin with: each is made once, copied for every test and never changed itself."""

from __future__ import annotations

import ensurepip
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from zipfile import ZipFile

from .installer_cases import ADDED, PINS, Place, temporary_folder

API = """\
class LoadErrorInfo: ...
class PackageRegistry:
    def load_nodes(self): ...
    def _refresh_nodes(self): ...
"""
"""What the installer looks for in chaiNNer's `api/api.py`."""


def empty_place(folder: Path) -> Place:
    """Return chaiNNer before its first start, with nothing but pip in its Python."""
    return Place(folder, _empty())


def bare_place(folder: Path, *, with_nodes: bool = False) -> Place:
    """Return chaiNNer as it installs itself, and wheels for what our nodes need beyond that."""
    return Place(folder, _with_nodes(_bare()) if with_nodes else _bare())


def complete_place(folder: Path, *, with_nodes: bool = False) -> Place:
    """Return chaiNNer with everything that our nodes need."""
    return Place(folder, _with_nodes(_complete()) if with_nodes else _complete())


@cache
def _empty() -> Path:
    template = temporary_folder("empty")
    environment = template / "config" / "chaiNNer" / "python" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    for path in _pip().iterdir():
        if path.name == "pip":
            (site / path.name).symlink_to(path)
        else:
            shutil.copytree(path, site / path.name)
    source = template / "app" / "resources" / "src"
    (source / "packages" / "chaiNNer_pytorch").mkdir(parents=True)
    (source / "api").mkdir()
    (source / "api" / "api.py").write_text(API)
    (template / "index").mkdir()
    return template


@cache
def _bare() -> Path:
    place = Place(temporary_folder("bare"), _empty())
    for name, version in PINS.items():
        place.add(name, version)
    place.publish_all()
    return place.folder


@cache
def _complete() -> Path:
    place = Place(temporary_folder("complete"), _empty())
    for name, version in {**PINS, **ADDED}.items():
        place.add(name, version)
    return place.folder


@cache
def _with_nodes(template: Path) -> Path:
    place = Place(temporary_folder("installed"), template)
    place.install()
    return place.folder


@cache
def _pip() -> Path:
    """Unpack the pip that Python brings: shared by all places, as installing it takes seconds each time."""
    folder = temporary_folder("pip")
    (wheel,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    ZipFile(wheel).extractall(folder)
    return folder
