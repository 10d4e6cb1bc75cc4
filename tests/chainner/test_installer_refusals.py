"""What the installer refuses: one sentence, exit code 1, nothing changed."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from chainner_nodes.installer.install import check_writable
from chainner_nodes.installer.python import InstallError, ask

from .installer_cases import ADDED, PINS, REPOSITORY, Place
from .installer_templates import empty_place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folders are made of links")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A chaiNNer that has not installed anything yet."""
    return empty_place(tmp_path)


def refused(place: Place, *arguments: str | Path) -> str:
    """Return the sentence that an installation is refused with."""
    before = place.tree()
    result = place.run("install", *arguments)
    assert result.code == 1
    assert result.err.startswith("chainner_nodes: ")
    assert place.tree() == before
    return result.err.removeprefix("chainner_nodes: ").rstrip("\n")


def add_all(place: Place, **versions: str) -> None:
    for name, version in (PINS | versions).items():
        place.add(name, version)


def program(folder: Path, *lines: str) -> Path:
    """Write a program that takes the place of a Python."""
    path = folder / "python"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def test_a_chainner_that_was_never_started(place: Place) -> None:
    assert refused(place) == (
        f"{place.python} is not the Python of a chaiNNer that has been started: sanic is not installed in "
        "it. Start chaiNNer once, or name its Python with --python"
    )


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ({"spandrel": "0.3.4"}, "spandrel 0.3.4, and 0.4.1"),
        ({"torch": "2.1.2+cpu"}, "PyTorch 2.1.2+cpu, and 2.7"),
    ],
    ids=["spandrel", "torch"],
)
def test_a_chainner_that_is_too_old(place: Place, versions: dict[str, str], found: str) -> None:
    add_all(place, **versions)
    assert refused(place) == (
        f"this chaiNNer has {found} is needed: update chaiNNer, then PyTorch in its dependency manager"
    )


def test_a_chainner_without_what_the_nodes_get_in_by(place: Place) -> None:
    add_all(place)
    place.write(place.source / "api" / "api.py", "class PackageRegistry: ...\nclass LoadErrorInfo: ...\n")
    assert refused(place, "--chainner", place.source, "--python", place.python) == (
        f"the chaiNNer in {place.source} has no `def load_nodes` in its api: update chaiNNer"
    )


def test_pytorch_may_come_later(place: Place) -> None:
    for name, version in {**PINS, **ADDED}.items():
        if name not in ("torch", "spandrel"):
            place.add(name, version)
    place.install()
    told = place.run("status").out
    assert (
        "missing    PyTorch 2.7 or newer, for all nodes: install PyTorch in chaiNNer's dependency manager\n"
        in told
    )


def test_something_of_ours_that_is_too_old_is_not_replaced(place: Place) -> None:
    add_all(place, rich="12.6.0")
    assert refused(place) == (
        f"{place.python} has rich 12.6.0, and 13 is needed, but what is there is not replaced: "
        f"run {place.python} -m pip install --upgrade rich"
    )


def test_a_pip_that_is_too_old(place: Place) -> None:
    add_all(place)
    shutil.rmtree(next(place.site.glob("pip-*.dist-info")))
    place.add("pip", "21.0")
    assert refused(place) == (
        f"{place.python} has pip 21.0, and 22.2 is needed: run {place.python} -m pip install --upgrade pip"
    )


def test_no_pip(place: Place) -> None:
    add_all(place)
    shutil.rmtree(next(place.site.glob("pip-*.dist-info")))
    assert refused(place) == f"{place.python} has no pip: run {place.python} -m ensurepip"


def test_an_old_python(place: Place) -> None:
    old = program(place.folder, "echo 3.9.18")
    assert (
        refused(place, "--python", old)
        == f"{old} is Python 3.9.18, and 3.10 is needed: name another by --python"
    )


def test_a_program_that_is_no_python(place: Place) -> None:
    other = program(place.folder, "echo usage: frobnicate >&2", "exit 3")
    assert refused(place, "--python", other) == f"{other} does not work as a Python: usage: frobnicate"


@pytest.mark.parametrize("name", ["nowhere", ""], ids=["no file", "a folder"])
def test_a_path_that_is_no_program(place: Place, name: str) -> None:
    path = place.folder / name
    assert refused(place, "--python", path) == f"{path} is no program: give the Python that chaiNNer runs on"


def test_a_receipt_that_cannot_be_read(place: Place) -> None:
    add_all(place)
    (place.site / "chainner_aethernet.json").write_text("{")
    assert refused(place).startswith(f"{place.site / 'chainner_aethernet.json'} cannot be read: ")


def test_half_a_copy_of_the_project(place: Place, tmp_path: Path) -> None:
    add_all(place)
    shutil.copytree(REPOSITORY / "chainner_nodes", tmp_path / "half" / "chainner_nodes")
    result = place.run("install", cwd=tmp_path / "half")
    missing = tmp_path / "half" / "spandrel_aethernet"
    assert result.err == f"chainner_nodes: {missing} is missing: run this in a whole copy of the project\n"
    assert result.code == 1


def test_a_read_only_place(place: Place) -> None:
    read_only = replace(ask(place.python), writable=False)
    with pytest.raises(
        InstallError, match=f"^{place.site} cannot be written to: run this as its owner, or move "
    ):
        check_writable(read_only)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_site_packages_is_found_out(place: Place) -> None:
    place.site.chmod(0o555)
    try:
        assert not ask(place.python).writable
    finally:
        place.site.chmod(0o755)


@pytest.mark.parametrize("arguments", [[], ["install", "--frobnicate"], ["install", "--copy"]], ids=str)
def test_wrong_usage_is_2(place: Place, arguments: list[str]) -> None:
    assert place.run(*arguments).code == 2
