"""`python -m chainner_nodes install`, on real Pythons without network."""

from __future__ import annotations

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

from .installer_cases import REPOSITORY, Place, add_copy, make_clone, small_clone
from .installer_templates import bare_place, complete_place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folders are made of links")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """chaiNNer with everything that our nodes need."""
    return complete_place(tmp_path)


@pytest.fixture
def bare(tmp_path: Path) -> Place:
    """chaiNNer as it installs itself, and wheels for what our nodes need beyond that."""
    return bare_place(tmp_path)


@pytest.fixture
def installed(tmp_path: Path) -> Place:
    """chaiNNer with our nodes, which needed nothing else."""
    return complete_place(tmp_path, with_nodes=True)


def versions(place: Place) -> list[str]:
    code = (
        "from importlib.metadata import version as v; print(v('chainner-aethernet'), v('spandrel-aethernet'))"
    )
    return place.ask(code).split()


def test_the_boot_line_is_read_at_every_start(installed: Place) -> None:
    assert installed.ask("import sys; print('chainner_nodes._boot' in sys.modules)") == "True\n"


@pytest.mark.slow
def test_what_is_installed_works(place: Place) -> None:
    # uv's temporary environments reach their packages through `.pth` files, which a bare path leaves unread.
    running = sysconfig.get_paths()["purelib"]
    (place.site / "running.pth").write_text(f"import site; site.addsitedir({running!r})\n")
    place.install(cwd=REPOSITORY)
    code = """
from spandrel_aethernet.cli import main
from spandrel_aethernet.data import DEMO_MODEL
main(["info", str(DEMO_MODEL)])
"""
    shown = place.ask(code)
    assert str(place.site / "spandrel_aethernet" / "data") in shown
    assert "aether_small" in shown


def test_nothing_that_chainner_pinned_is_replaced(tmp_path: Path) -> None:
    installed = bare_place(tmp_path, with_nodes=True)
    shown = installed.ask("from importlib.metadata import version as v; print(v('numpy'), v('scikit-image'))")
    assert shown == "1.24.4 0.24.0\n"


def test_what_cannot_go_with_the_pins_is_refused(bare: Place) -> None:
    next(bare.index.glob("scikit_image-0.24*")).unlink()
    before = bare.tree()
    result = bare.run("install")
    assert result.code == 1
    assert result.err.startswith(
        "chainner_nodes: pip could not fetch rich>=13, platformdirs>=3.0, pyvips[binary]>=3.0, scikit-image"
    )
    assert bare.tree() == before


@pytest.mark.slow
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


def test_installing_twice_changes_nothing(installed: Place) -> None:
    before = installed.tree()
    result = installed.run("install")
    assert "everything is up to date\n" in result.out
    assert installed.tree() == before


def test_installing_again_mends_what_was_changed(installed: Place) -> None:
    broken, boot = (
        installed.site / name for name in ("spandrel_aethernet/errors.py", "chainner_aethernet.pth")
    )
    before = [path.read_bytes() for path in (broken, boot)]
    installed.write(broken, "broken")
    boot.unlink()
    installed.install()
    assert [path.read_bytes() for path in (broken, boot)] == before


@pytest.mark.parametrize("own_python", [False, True], ids=["any Python", "chaiNNer's own"])
def test_another_version_is_replaced(installed: Place, tmp_path: Path, own_python: bool) -> None:
    newer = make_clone(tmp_path / "clone", "9.9.9")
    result = installed.run("install", cwd=newer, python=installed.python if own_python else sys.executable)
    assert (result.code, result.err) == (0, "")
    assert versions(installed) == ["9.9.9", "9.9.9"]
    assert installed.run("uninstall").code == 0
    assert installed.tree() == complete_place(tmp_path / "before").tree()


def test_dry_run_changes_nothing(place: Place) -> None:
    before = place.tree()
    result = place.run("install", "--dry-run", "--chainner", place.source, "--python", place.python)
    assert result.code == 0, result.err
    steps = result.out.splitlines()[1:-1]
    assert len(steps) >= 3
    assert all(step.startswith("would ") for step in steps)
    assert place.tree() == before


def test_a_copy_that_an_earlier_version_made_is_named(installed: Place) -> None:
    copy = add_copy(installed)
    result = installed.run("install")
    assert (result.code, result.err) == (
        1,
        f"chainner_nodes: an earlier version's nodes are in the way in {copy}: run uninstall first\n",
    )


def test_a_failure_in_pip_is_shown_and_undone(place: Place) -> None:
    (place.site / "spandrel_aethernet").touch()
    before = place.tree()
    result = place.run("install")
    assert result.code == 1
    assert result.err.startswith("chainner_nodes: pip could not install:\n  ")
    assert place.tree() == before


def interrupt(place: Place, when: Callable[[], object]) -> int:
    """Press Ctrl-C in an installation at some moment and return its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chainner_nodes", "install"],
        cwd=small_clone(),
        env=place.environment,
        # A shell starts what runs in its background with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    while not when():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    return process.wait()


@pytest.mark.slow
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
