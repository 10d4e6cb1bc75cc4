"""`python -m chainner_nodes uninstall`, on real Pythons without network."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from .installer_cases import ADDED, Place, add_copy
from .installer_templates import bare_place, complete_place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folders are made of links")


@pytest.fixture
def installed(tmp_path: Path) -> Place:
    """chaiNNer with our nodes, which needed nothing else."""
    return complete_place(tmp_path / "place", with_nodes=True)


@pytest.fixture
def with_fetched(tmp_path: Path) -> Place:
    """chaiNNer with our nodes, and with what had to be fetched for them."""
    return bare_place(tmp_path / "place", with_nodes=True)


@pytest.fixture
def before(tmp_path: Path) -> dict[str, bytes]:
    """What `installed` was before our nodes came."""
    return complete_place(tmp_path / "before").tree()


@pytest.fixture
def bare_before(tmp_path: Path) -> dict[str, bytes]:
    """What `with_fetched` was before our nodes came."""
    return bare_place(tmp_path / "before").tree()


def test_uninstall_leaves_nothing(installed: Place, before: dict[str, bytes]) -> None:
    assert installed.tree() != before
    assert installed.run("uninstall").code == 0
    assert installed.tree() == before


def test_uninstall_also_removes_what_was_fetched(with_fetched: Place, bare_before: dict[str, bytes]) -> None:
    assert (with_fetched.site / "pyvips").exists()
    assert with_fetched.run("uninstall").code == 0
    assert with_fetched.tree() == bare_before


def test_uninstall_removes_what_has_come_into_our_folders(installed: Place, before: dict[str, bytes]) -> None:
    (installed.site / "spandrel_aethernet" / "cache.bin").touch()
    assert installed.run("uninstall").code == 0
    assert installed.tree() == before


def test_uninstall_cleans_up_after_an_installation_that_was_killed(
    with_fetched: Place, bare_before: dict[str, bytes]
) -> None:
    (with_fetched.site / "chainner_aethernet.pth").unlink()
    next(with_fetched.site.glob("spandrel_aethernet-*.dist-info/RECORD")).unlink()
    shutil.rmtree(next(with_fetched.site.glob("rich-*.dist-info")))
    assert with_fetched.run("uninstall").code == 0
    assert with_fetched.tree() == bare_before


def test_uninstall_twice_is_harmless(tmp_path: Path) -> None:
    place = complete_place(tmp_path)
    result = place.run("uninstall")
    assert (result.code, result.err) == (0, "")
    assert f"nothing of ours is installed in {place.site}\n" in result.out


def test_uninstall_keeps_what_another_has_come_to_need(with_fetched: Place) -> None:
    with_fetched.add("newcomer", "1.0", "rich>=13", 'pyvips; extra == "images"')
    result = with_fetched.run("uninstall")
    kept = [line for line in result.out.splitlines() if line.startswith("keep ")]
    assert kept == ["keep markdown-it-py, as rich needs it", "keep rich, as newcomer needs it"]
    assert (with_fetched.site / "rich").exists()
    assert not (with_fetched.site / "pyvips").exists()


def test_what_was_there_before_is_not_ours_to_remove(installed: Place) -> None:
    assert installed.run("uninstall").code == 0
    assert {f"{name.replace('-', '_')}-{version}.dist-info" for name, version in ADDED.items()} <= {
        path.name for path in installed.site.iterdir()
    }


def test_the_installed_package_can_uninstall_itself(
    installed: Place, tmp_path: Path, before: dict[str, bytes]
) -> None:
    result = installed.run("uninstall", python=installed.python, cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert installed.tree() == before


def test_dry_run_changes_nothing(installed: Place) -> None:
    before = installed.tree()
    where = ["--chainner", installed.source, "--python", installed.python]
    result = installed.run("uninstall", "--dry-run", *where)
    assert result.code == 0, result.err
    steps = result.out.splitlines()[1:-1]
    assert len(steps) >= 3
    assert all(step.startswith("would ") for step in steps)
    assert installed.tree() == before


def test_a_copy_that_an_earlier_version_made_is_removed(installed: Place, before: dict[str, bytes]) -> None:
    add_copy(installed)
    assert installed.run("uninstall").code == 0
    assert installed.tree() == before
