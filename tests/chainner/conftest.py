"""chaiNNer's checkout, an interpreter that can run it, and one backend for all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from spandrel_aethernet.data import half_size

from .backend import Backend
from .frontend import Frontend


@pytest.fixture(scope="session")
def chainner_src() -> Path:
    """A checkout of chaiNNer: $CHAINNER_SRC, or ~/chaiNNer."""
    source = Path(os.environ.get("CHAINNER_SRC", "~/chaiNNer")).expanduser()
    if not (source / "backend" / "src" / "server.py").is_file():
        pytest.skip(f"no checkout of chaiNNer in {source}: set CHAINNER_SRC to one")
    return source


@pytest.fixture(scope="session")
def chainner_python(chainner_src: Path) -> str:  # noqa: ARG001  (without a checkout this need not be asked)
    """The interpreter with chaiNNer's packages: $CHAINNER_PYTHON, or this one."""
    python = os.environ.get("CHAINNER_PYTHON", sys.executable)
    asked = subprocess.run([python, "-c", "import sanic_cors"], check=False, capture_output=True)
    if asked.returncode:
        pytest.skip(f"{python} has no sanic-cors: set CHAINNER_PYTHON to one with chaiNNer's packages")
    return python


@pytest.fixture(scope="session")
def backend(
    chainner_src: Path, chainner_python: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """A backend with our nodes, shared by all tests."""
    with Backend(chainner_src, tmp_path_factory.mktemp("chainner"), python=chainner_python) as backend:
        yield backend


@pytest.fixture(scope="session")
def frontend(chainner_src: Path) -> Frontend:
    """chaiNNer's own TypeScript, with the modules in $CHAINNER_NODE_MODULES or in the checkout."""
    modules = Path(os.environ.get("CHAINNER_NODE_MODULES", chainner_src)).expanduser()
    found = Frontend(chainner_src, modules)
    if missing := found.missing():
        pytest.skip(missing)
    return found


@pytest.fixture(scope="session")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture whose sides are multiples of 16: chaiNNer pads others for ONNX models."""
    path = tmp_path_factory.mktemp("photograph") / "chelsea.png"
    Image.open(half_size("chelsea")).convert("RGB").crop((0, 0, 96, 80)).save(path)
    return path
