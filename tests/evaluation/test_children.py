"""Objects in other processes: asked, failing, killed, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from spandrel_aethernet.errors import AetherError, ArgumentError, check_choice
from spandrel_aethernet.evaluation.children import Child, started

PARENT = """
import sys, time
from importlib import import_module
from spandrel_aethernet.evaluation.children import started
with started(import_module, "os", name="x") as child, started(import_module, "time", name="y") as other:
    print(child.ask("getpid"), flush=True)
    other.ask("sleep", 60)
"""


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for_end(process: int) -> None:
    deadline = time.monotonic() + 20
    while is_running(process):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.02)


def test_an_object_is_made_and_asked() -> None:
    with started(Counter, "abca", name="x") as child:
        assert child.ask("most_common", 1) == [("a", 2)]
        assert child.ask("total") == 4
    with started(import_module, "os", name="x") as child:
        assert child.ask("getpid") != os.getpid()
        assert child.ask("write", 1, b"what a library prints\n") == 22


def test_what_it_raises_arrives() -> None:
    with started(import_module, "spandrel_aethernet.errors", name="x") as child:
        with pytest.raises(ArgumentError) as error:
            child.ask("check_choice", "dtype", "half", ["float16"])
        with pytest.raises(ArgumentError) as here:
            check_choice("dtype", "half", ["float16"])
        assert str(error.value) == str(here.value)
        with pytest.raises(RuntimeError, match=r"AttributeError: .*gone"):
            child.ask("gone")
        assert child.ask("python_words", "force", True) == "force=True"
    with (
        started(import_module, "no_such_module", name="x") as child,
        pytest.raises(RuntimeError, match="ModuleNotFoundError"),
    ):
        child.ask("any")


def test_its_death_is_said() -> None:
    with (
        started(import_module, "os", name="net.onnx") as child,
        pytest.raises(AetherError, match=r"net.onnx: its process ended with exit code 3"),
    ):
        child.ask("_exit", 3)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at Linux's processes")
def test_whatever_ends_the_block_ends_the_process() -> None:
    def cancel() -> None:
        raise KeyboardInterrupt

    def ask(child: Child, other: Child) -> None:
        pids.append(child.ask("getpid"))
        other.ask("sleep", 60, poll=cancel)

    pids: list[int] = []
    begun = time.monotonic()
    with (
        pytest.raises(KeyboardInterrupt),
        started(import_module, "time", name="y") as other,
        started(import_module, "os", name="x") as child,
    ):
        ask(child, other)
    assert time.monotonic() - begun < 20
    assert not is_running(pids[0])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at Linux's processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_parent_that_ends_leaves_no_child(number: signal.Signals) -> None:
    def hear() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=hear,  # noqa: PLW1509  (a shell's background jobs are started with Ctrl-C ignored)
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.send_signal(number)
        parent.wait(20)
    wait_for_end(child)
