"""The command's entry point: signals at any time, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spandrel_aethernet import __version__
from spandrel_aethernet.data import DEMO_MODEL

ROOT = Path(__file__).parents[1]


def run_and_press(
    moment: str, *arguments: object, handler: str = "default_int_handler", press: str = "SIGINT"
) -> subprocess.CompletedProcess[str]:
    """Run a command in a child that gets a signal when it begins to import the module `moment`."""
    code = f"""
import os, signal, sys

class Press:
    def find_spec(self, name, path=None, target=None):
        if name == {moment!r}:
            print("pressed")
            os.kill(os.getpid(), signal.{press})

signal.signal(signal.{press}, signal.{handler})
sys.meta_path.insert(0, Press())
sys.argv = {["aethernet", *map(str, arguments)]!r}
from spandrel_aethernet.__main__ import main
sys.exit(main())
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="no process gets a Ctrl-C of its own there")
@pytest.mark.parametrize(
    "moment",
    [
        "spandrel_aethernet.cli",
        "torch",
        "numpy._core",  # PyTorch goes on where its import of NumPy fails, whatever the reason
    ],
)
def test_ctrl_c_in_any_import_ends_it_without_a_traceback(moment: str) -> None:
    result = run_and_press(moment, "info", DEMO_MODEL)
    assert (result.returncode, result.stdout, result.stderr) == (130, "pressed\n", "aethernet: cancelled\n")


@pytest.mark.skipif(sys.platform == "win32", reason="no process gets a Ctrl-C of its own there")
def test_ctrl_c_that_a_shell_has_ignored_stays_ignored() -> None:
    result = run_and_press("spandrel_aethernet.cli", "--version", handler="SIG_IGN")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"pressed\naethernet {__version__}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no process gets a signal of its own there")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_other_signals_end_it_as_ctrl_c_does(name: str, code: int) -> None:
    result = run_and_press("torch", "info", DEMO_MODEL, handler="SIG_DFL", press=name)
    assert (result.returncode, result.stdout) == (code, "pressed\n")
    assert result.stderr == f"aethernet: ended by {name}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no process gets a signal of its own there")
def test_a_signal_that_nohup_has_ignored_stays_ignored() -> None:
    result = run_and_press("spandrel_aethernet.cli", "--version", handler="SIG_IGN", press="SIGHUP")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"pressed\naethernet {__version__}\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no process gets a signal of its own there")
def test_a_request_said_twice_does_not_stop_what_the_first_began(tmp_path: Path) -> None:
    """A terminal that closes sends SIGHUP by itself and once more by its shell."""
    code = f"""
import os, signal, sys, types
from pathlib import Path
from spandrel_aethernet.files import replacing_folder

def main():
    with replacing_folder(Path({str(tmp_path / "folder")!r}), ours=lambda _: True) as partial:
        (partial / "file").touch()
        def unlink_and_hang_up(*arguments, unlink=os.unlink, **options):
            os.kill(os.getpid(), signal.SIGHUP)
            unlink(*arguments, **options)
        os.unlink = unlink_and_hang_up
        os.kill(os.getpid(), signal.SIGTERM)

sys.modules["spandrel_aethernet.cli"] = types.SimpleNamespace(main=main)
from spandrel_aethernet.__main__ import main as run
sys.exit(run())
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (143, "aethernet: ended by SIGTERM\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no process gets a signal of its own there")
def test_what_runs_at_the_end_of_the_interpreter_may_import() -> None:
    """PyTorch's compiler does, after a signal that came when all else was imported."""
    code = """
import atexit, importlib, os, signal, sys, types
atexit.register(lambda: print(importlib.import_module("colorsys").__name__))
main = lambda: os.kill(os.getpid(), signal.SIGTERM)
sys.modules["spandrel_aethernet.cli"] = types.SimpleNamespace(main=main)
from spandrel_aethernet.__main__ import main as run
sys.exit(run())
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (143, "aethernet: ended by SIGTERM\n")
    assert result.stdout == "colorsys\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no process gets a signal of its own there")
def test_a_signal_while_a_text_is_executed_gives_its_own_exit_code(tmp_path: Path) -> None:
    """`python -m` exits with 130 where a KeyboardInterrupt came in `exec`, which makes dataclasses."""
    (tmp_path / "command.py").write_text("""
import os, signal, sys, types
main = lambda: exec("os.kill(os.getpid(), signal.SIGTERM)")
sys.modules["spandrel_aethernet.cli"] = types.SimpleNamespace(main=main)
from spandrel_aethernet.__main__ import main as run
sys.exit(run())
""")
    search = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "command"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=search)
    assert (result.returncode, result.stderr) == (143, "aethernet: ended by SIGTERM\n")


def test_an_error_in_the_program_itself_shows_where_it_is() -> None:
    code = """
import sys
sys.modules["spandrel_aethernet.cli"] = None
from spandrel_aethernet.__main__ import main
main()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "ModuleNotFoundError" in result.stderr
