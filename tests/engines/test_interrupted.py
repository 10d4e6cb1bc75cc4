"""What is left of builds that are cancelled, killed, crash, or run two at a time."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import onnx
import pytest

from spandrel_aethernet.engines.build import build_engine
from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.header import read_header
from spandrel_aethernet.engines.process import run_job
from spandrel_aethernet.engines.sidecar import read_sidecar
from spandrel_aethernet.engines.worker import BuildJob
from spandrel_aethernet.errors import AetherError, EngineError
from spandrel_aethernet.files import sha256
from spandrel_aethernet.progress import Silent
from spandrel_aethernet.shapes import Profile

from ..conftest import start
from ..lint.graphs import computed_scale
from .children import build, build_in_turn, server
from .networks import deep, upscaler

pytest.importorskip("tensorrt_rtx")
RTX_30 = BuildOptions(runtime="rtx", targets=["8.6"])
COMPILING = "Compiler backend is used during engine build"
"""What TensorRT says when it has begun the one long step in which it cannot be cancelled."""
BLOCKS = 300
"""Of a network that takes TensorRT several seconds."""
linux = pytest.mark.skipif(sys.platform != "linux", reason="signals, limits and processes as on Linux")


def wait_until_compiling(stderr: IO[str]) -> None:
    assert any(COMPILING in line for line in stderr)
    time.sleep(0.5)


def worker_of(process: subprocess.Popen[str]) -> int:
    """Return the process that builds for a command."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, _, rest = stat.read_text().partition(" (")
            if int(rest.rpartition(") ")[2].split()[1]) == process.pid:
                return int(number)
    raise AssertionError("there is none")


def is_running(process: int) -> bool:
    """Whether a process is there, and not only because nobody asked how it ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state != "Z"


@linux
@pytest.mark.slow
def test_ctrl_c_cancels_within_a_second_and_leaves_nothing(tmp_path: Path) -> None:
    source = deep(tmp_path / "deep.onnx", BLOCKS)
    process = start("engine", source, "-o", tmp_path / "new" / "deep.engine", "--target", "8.6", "--verbose")
    assert process.stderr is not None
    wait_until_compiling(process.stderr)
    worker = worker_of(process)
    begun = time.perf_counter()
    process.send_signal(signal.SIGINT)
    rest = [next(line for line in process.stderr if not line.startswith(("info: ", "verbose: ")))]
    assert time.perf_counter() - begun < 1
    assert not is_running(worker)
    assert [path.name for path in tmp_path.iterdir()] == ["deep.onnx"]
    rest += process.stderr.readlines()
    assert rest == ["aethernet: cancelled\n"]
    assert process.wait() == 130


@linux
@pytest.mark.slow
def test_killed_command_takes_its_builder_with_it(tmp_path: Path) -> None:
    source = deep(tmp_path / "deep.onnx", BLOCKS)
    process = start("engine", source, "-o", tmp_path / "deep.engine", "--target", "8.6", "--verbose")
    assert process.stderr is not None
    wait_until_compiling(process.stderr)
    worker = worker_of(process)
    process.kill()
    process.communicate()
    ends = time.perf_counter() + 2
    while is_running(worker) and time.perf_counter() < ends:
        time.sleep(0.05)
    assert not is_running(worker)
    assert not (tmp_path / "deep.engine").exists()


@linux
@pytest.mark.release
def test_killed_at_any_moment_leaves_a_whole_engine_or_none(tmp_path: Path) -> None:
    sources = [upscaler(tmp_path / f"{seed}.onnx", seed=seed) for seed in range(2)]
    target = tmp_path / "killed" / "small.engine"
    target.parent.mkdir()
    kills, duration = 60, 0.0
    for source in sources:  # the first one loads libraries, too
        begun = time.perf_counter()
        build_engine(source, source.with_suffix(".engine"), RTX_30)
        duration = time.perf_counter() - begun
    seen: set[str] = set()
    number = 0
    # On a busy machine, moments later than planned are tried until some lie after a build.
    while number < kills or not {"0.onnx", "1.onnx"} <= seen:
        assert number < 10 * kills, "no kill came after a build"
        latest = 3 * duration * (1 + number // kills)
        process = server().Process(target=build_in_turn, args=(sources, target, RTX_30))
        process.start()
        time.sleep(0.05 + latest * (number % kills + 1) / kills)
        process.kill()
        process.join()
        number += 1
        if target.exists():
            assert read_header(target) is not None, "its size is what it says"
            info = read_sidecar(target)
            seen.add(info.source if info else "not described")
    time.sleep(1)
    build_engine(sources[0], target, RTX_30, force=True)
    info = read_sidecar(target)
    assert info is not None
    assert info.engine_sha256 == sha256(target)


def test_parser_that_crashes_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    source = tmp_path / "crash.onnx"
    onnx.save(computed_scale(), source)
    with pytest.raises(EngineError, match="QDQ"):
        build_engine(source, tmp_path / "crash.engine", RTX_30)
    unlinted = BuildJob(
        runtime="rtx",
        onnx=None,
        engine=str(tmp_path / "crash.engine"),
        input_name="input",
        shapes=Profile().shapes(8),
        targets=["8.6"],
        workspace=None,
        optimization_level=None,
        timing_cache=None,
        inspect=False,
        verbose=False,
    )
    with pytest.raises(EngineError, match=r"TensorRT crashed on crash\.onnx \((signal|exit code) "):
        run_job(unlinted, source.read_bytes(), lambda _event: None, title="TensorRT", name=source.name)
    assert [path.name for path in tmp_path.iterdir()] == ["crash.onnx"]


class Impatient(Silent):
    """Ends a build in the step where TensorRT says nothing more."""

    def __init__(self) -> None:
        self.compiling = False
        self.raised = 0.0

    def hear(self, _severity: str, text: str) -> None:
        self.compiling = self.compiling or COMPILING in text

    def poll(self) -> None:
        if self.compiling:
            self.raised = time.perf_counter()
            raise AetherError("enough")


@pytest.mark.slow
def test_error_while_nothing_is_said_ends_the_build(tmp_path: Path) -> None:
    source, impatient = deep(tmp_path / "deep.onnx", BLOCKS), Impatient()
    with pytest.raises(AetherError, match="enough"):
        build_engine(
            source,
            tmp_path / "deep.engine",
            RTX_30,
            verbose=True,
            on_message=impatient.hear,
            progress=impatient,
        )
    assert time.perf_counter() - impatient.raised < 1
    assert [path.name for path in tmp_path.iterdir()] == ["deep.onnx"]


def test_error_at_the_begin_of_a_phase_ends_the_build(tmp_path: Path) -> None:
    class Unwilling(Silent):
        def begin(self, step: str, total: int, *, within: str | None = None) -> None:
            raise AetherError(f"enough of {step} ({total}, {within})")

    source = upscaler(tmp_path / "small.onnx")
    with pytest.raises(AetherError, match="enough of Building engine"):
        build_engine(source, tmp_path / "small.engine", RTX_30, progress=Unwilling())
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]


@linux
def test_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "small.onnx")
    process = start(
        "engine", source, "-o", tmp_path / "new" / "small.engine", "--target", "8.6", limit=10_000
    )
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith("aethernet: ")
    assert "small.engine cannot be written: File too large" in errors
    assert len(errors.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]


@linux
def test_two_builds_at_once_share_a_timing_cache(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "small.onnx")
    options = BuildOptions(targets=["8.6"], timing_cache=tmp_path / "timings.bin")
    targets = [tmp_path / f"{number}.engine" for number in range(2)]
    builds = [server().Process(target=build, args=(source, target, options)) for target in targets]
    for one in builds:
        one.start()
    for one in builds:
        one.join()
    assert [one.exitcode for one in builds] == [0, 0]
    assert all(read_sidecar(target) for target in targets), "which compares it with the engine's bytes"
    made = {f"{target.name}{end}" for target in targets for end in ("", ".json")}
    assert {path.name for path in tmp_path.iterdir()} == {"small.onnx", *made}
