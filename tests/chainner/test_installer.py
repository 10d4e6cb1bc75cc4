"""`python -m chainner_nodes install` and `uninstall`, on real Pythons without network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .installer_cases import ADDED, PINS, REPOSITORY, Place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folders are made of links")
_COPY = Path("packages") / "chaiNNer_pytorch" / "aethernet"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """chaiNNer with everything that our nodes need."""
    return Place(tmp_path)


@pytest.fixture
def bare(tmp_path: Path) -> Place:
    """chaiNNer as it installs itself, and wheels for what our nodes need beyond that."""
    place = Place(tmp_path, installed=PINS)
    place.publish_all()
    return place


def clone(folder: Path, version: str) -> Path:
    """Copy the project as another version of itself."""
    for name in ("chainner_nodes", "spandrel_aethernet"):
        shutil.copytree(
            REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "data")
        )
    (folder / "spandrel_aethernet" / "data").mkdir()
    (folder / "spandrel_aethernet" / "data" / "SOURCES.md").touch()
    (folder / "spandrel_aethernet" / "__init__.py").write_text(f'__version__ = "{version}"\n')
    shutil.copy(REPOSITORY / "LICENSE", folder)
    return folder


def versions(place: Place) -> list[str]:
    code = (
        "from importlib.metadata import version as v; print(v('chainner-aethernet'), v('spandrel-aethernet'))"
    )
    return place.ask(code).split()


def test_the_boot_line_is_read_at_every_start(place: Place) -> None:
    place.install()
    assert place.ask("import sys; print('chainner_nodes._boot' in sys.modules)") == "True\n"


def test_what_is_installed_works(place: Place) -> None:
    # uv's temporary environments reach their packages through `.pth` files, which a bare path leaves unread.
    running = sysconfig.get_paths()["purelib"]
    (place.site / "running.pth").write_text(f"import site; site.addsitedir({running!r})\n")
    place.install()
    code = """
from spandrel_aethernet.cli import main
from spandrel_aethernet.data import DEMO_MODEL
main(["info", str(DEMO_MODEL)])
"""
    shown = place.ask(code)
    assert str(place.site / "spandrel_aethernet" / "data") in shown
    assert "aether_small" in shown


def test_uninstall_leaves_nothing(place: Place) -> None:
    before = place.tree()
    place.install()
    assert place.run("uninstall").code == 0
    assert place.tree() == before


def test_uninstall_also_removes_what_was_fetched(bare: Place) -> None:
    before = bare.tree()
    bare.install()
    assert bare.run("uninstall").code == 0
    assert bare.tree() == before


def test_uninstall_removes_what_has_come_into_our_folders(place: Place) -> None:
    before = place.tree()
    place.install()
    (place.site / "spandrel_aethernet" / "cache.bin").touch()
    assert place.run("uninstall").code == 0
    assert place.tree() == before


def test_uninstall_cleans_up_after_an_installation_that_was_killed(bare: Place) -> None:
    before = bare.tree()
    bare.install()
    (bare.site / "chainner_aethernet.pth").unlink()
    next(bare.site.glob("spandrel_aethernet-*.dist-info/RECORD")).unlink()
    shutil.rmtree(next(bare.site.glob("rich-*.dist-info")))
    assert bare.run("uninstall").code == 0
    assert bare.tree() == before


def test_uninstall_twice_is_harmless(place: Place) -> None:
    result = place.run("uninstall")
    assert (result.code, result.err) == (0, "")
    assert f"nothing of ours is installed in {place.site}\n" in result.out


def test_uninstall_keeps_what_another_has_come_to_need(bare: Place) -> None:
    bare.install()
    bare.add("newcomer", "1.0", "rich>=13", 'pyvips; extra == "images"')
    result = bare.run("uninstall")
    kept = [line for line in result.out.splitlines() if line.startswith("keep ")]
    assert kept == ["keep markdown-it-py, as rich needs it", "keep rich, as newcomer needs it"]
    assert (bare.site / "rich").exists()
    assert not (bare.site / "pyvips").exists()


def test_what_was_there_before_is_not_ours_to_remove(place: Place) -> None:
    place.install()
    assert place.run("uninstall").code == 0
    assert {f"{name.replace('-', '_')}-{version}.dist-info" for name, version in ADDED.items()} <= {
        path.name for path in place.site.iterdir()
    }


def test_nothing_that_chainner_pinned_is_replaced(bare: Place) -> None:
    bare.install()
    shown = bare.ask("from importlib.metadata import version as v; print(v('numpy'), v('scikit-image'))")
    assert shown == "1.24.4 0.24.0\n"


def test_what_cannot_go_with_the_pins_is_refused(bare: Place) -> None:
    next(bare.index.glob("scikit_image-0.24*")).unlink()
    before = bare.tree()
    result = bare.run("install")
    assert result.code == 1
    assert result.err.startswith(
        "chainner_nodes: pip could not fetch rich>=13, pyvips[binary]>=3.0, scikit-image"
    )
    assert bare.tree() == before


def test_a_wheel_that_spoils_another_distribution_is_found_out(bare: Place) -> None:
    bare.publish("rich", "15.0.0", other="rich-15.0.0.data/purelib/numpy-1.24.4.dist-info/METADATA")
    result = bare.run("install")
    assert result.err == "chainner_nodes: pip has changed numpy, which it was told to leave alone\n"
    assert result.code == 1


def test_a_pip_that_installs_elsewhere_is_found_out(place: Place) -> None:
    before = place.tree()
    place.environment["PIP_CONFIG_FILE"] = str(place.folder / "pip.ini")
    (place.folder / "pip.ini").write_text(f"[install]\ntarget = {place.folder / 'elsewhere'}\n")
    result = place.run("install")
    assert result.err == (
        f"chainner_nodes: pip has not put chainner-aethernet, spandrel-aethernet into {place.site}: its "
        f"settings name another place: see {place.python} -m pip config list\n"
    )
    assert (result.code, place.tree()) == (1, before)


def test_installing_twice_changes_nothing(place: Place) -> None:
    place.install()
    before = place.tree()
    result = place.run("install")
    assert "everything is up to date\n" in result.out
    assert place.tree() == before


def test_installing_again_mends_what_was_changed(place: Place) -> None:
    place.install()
    broken, boot = place.site / "spandrel_aethernet" / "network.py", place.site / "chainner_aethernet.pth"
    before = [path.read_bytes() for path in (broken, boot)]
    broken.write_text("broken")
    boot.unlink()
    place.install()
    assert [path.read_bytes() for path in (broken, boot)] == before


@pytest.mark.parametrize("own_python", [False, True], ids=["any Python", "chaiNNer's own"])
def test_another_version_is_replaced(place: Place, tmp_path: Path, own_python: bool) -> None:
    empty = place.tree()
    place.install()
    newer = clone(tmp_path / "clone", "9.9.9")
    result = place.run("install", cwd=newer, python=place.python if own_python else sys.executable)
    assert (result.code, result.err) == (0, "")
    assert versions(place) == ["9.9.9", "9.9.9"]
    assert place.run("uninstall").code == 0
    assert place.tree() == empty


def test_the_installed_package_can_uninstall_itself(place: Place, tmp_path: Path) -> None:
    before = place.tree()
    place.install()
    result = place.run("uninstall", python=place.python, cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert place.tree() == before


@pytest.mark.parametrize("arguments", [["install"], ["install", "--copy"], ["uninstall"]], ids=" ".join)
def test_dry_run_changes_nothing(place: Place, arguments: list[str]) -> None:
    if arguments == ["uninstall"]:
        place.install()
    before = place.tree()
    result = place.run(*arguments, "--dry-run", "--chainner", place.source, "--python", place.python)
    assert result.code == 0, result.err
    steps = result.out.splitlines()[1:-1]
    assert len(steps) >= 3
    assert all(step.startswith("would ") for step in steps)
    assert place.tree() == before


def test_copy_puts_the_nodes_into_chainners_code(place: Place) -> None:
    place.install("--copy", "--chainner", place.source, "--python", place.python)
    copied = {path.name for path in (place.source / _COPY).iterdir()}
    nodes = {path.name for path in (REPOSITORY / "chainner_nodes" / "aethernet").iterdir()}
    assert copied == nodes - {"__pycache__"} | {"LICENSE"}
    assert not (place.site / "chainner_nodes").exists()


def test_uninstall_removes_the_copy(place: Place) -> None:
    before = place.tree()
    place.install("--copy", "--chainner", place.source, "--python", place.python)
    assert place.run("uninstall").code == 0
    assert place.tree() == before


def test_a_copy_is_found_again_from_another_folder(place: Place) -> None:
    before = place.tree()
    nearby = os.path.relpath(place.source, REPOSITORY)  # where the installer is run
    place.install("--copy", "--chainner", nearby, "--python", place.python)
    receipt = json.loads((place.site / "chainner_aethernet.json").read_text())
    assert Path(receipt["copy"]).is_absolute()
    assert place.run("uninstall").code == 0
    assert place.tree() == before


@pytest.mark.parametrize("first", [[], ["--copy"]], ids=["boot line first", "copy first"])
def test_changing_the_way_removes_the_other(place: Place, first: list[str]) -> None:
    where = ["--chainner", place.source, "--python", place.python]
    second = [] if first else ["--copy"]
    place.install(*second, *where)
    expected = place.tree()
    assert place.run("uninstall", *where).code == 0
    place.install(*first, *where)
    place.install(*second, *where)
    assert place.tree().keys() == expected.keys()


def test_a_folder_of_the_same_name_is_not_overwritten(place: Place) -> None:
    (place.source / _COPY).mkdir()
    result = place.run("install", "--copy", "--chainner", place.source, "--python", place.python)
    assert (
        result.err == f"chainner_nodes: {place.source / _COPY} is in the way and is not ours: move it away\n"
    )
    assert result.code == 1


def test_a_failure_in_pip_is_shown_and_undone(bare: Place) -> None:
    (bare.site / "spandrel_aethernet").touch()
    before = bare.tree()
    result = bare.run("install")
    assert result.code == 1
    assert result.err.startswith("chainner_nodes: pip could not install:\n  ")
    assert bare.tree() == before


def interrupt(place: Place, when: Callable[[], object]) -> int:
    """Press Ctrl-C in an installation at some moment and return its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chainner_nodes", "install"],
        cwd=REPOSITORY,
        env=place.environment,
        # A shell starts what runs in its background with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    while not when():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    return process.wait()


def test_ctrl_c_while_installing_leaves_nothing(bare: Place) -> None:
    before = bare.tree()
    assert interrupt(bare, (bare.site / "chainner_aethernet.json").exists) == 130
    assert bare.tree() == before


def test_ctrl_c_while_fetching_leaves_nothing(place: Place) -> None:
    shutil.rmtree(next(place.site.glob("rich-*")))
    before = place.tree()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        place.environment["PIP_NO_INDEX"] = "0"
        place.environment["PIP_PROXY"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert interrupt(place, silent.accept) == 130
    assert place.tree() == before
