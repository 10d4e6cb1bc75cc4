"""What is left of builds that are cancelled, killed, crash, or run two at a time."""

from __future__ import annotations

import multiprocessing
import random
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
from spandrel_aethernet.engines.profile import as_lists
from spandrel_aethernet.engines.sidecar import file_sha256, read_sidecar
from spandrel_aethernet.engines.worker import Job
from spandrel_aethernet.errors import AetherError, EngineError
from spandrel_aethernet.shapes import Profile

from ..conftest import limit_file_size
from ..lint.graphs import computed_scale
from .networks import deep, upscaler

pytest.importorskip("tensorrt_rtx")
RTX_30 = BuildOptions(runtime="rtx", targets=["8.6"])
linux = pytest.mark.skipif(sys.platform != "linux", reason="signals, limits and processes as on Linux")


def start(*arguments: object, limit: int | None = None) -> subprocess.Popen[str]:
    def prepare() -> None:
        # A shell starts what runs in its background with Ctrl-C ignored, and children inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if limit is not None:
            limit_file_size(limit)()

    return subprocess.Popen(
        [sys.executable, "-m", "spandrel_aethernet", "engine", *map(str, arguments)],
        preexec_fn=prepare,  # noqa: PLW1509  (the child runs nothing else)
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_compiling(stderr: IO[str]) -> None:
    """Return when TensorRT has begun the one long step in which it cannot be cancelled."""
    assert any("Compiler backend is used during engine build" in line for line in stderr)
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
def test_ctrl_c_cancels_within_a_second_and_leaves_nothing(tmp_path: Path) -> None:
    source = deep(tmp_path / "deep.onnx", 500)
    process = start(source, "-o", tmp_path / "new" / "deep.engine", "--target", "8.6", "--verbose")
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
def test_killed_command_takes_its_builder_with_it(tmp_path: Path) -> None:
    source = deep(tmp_path / "deep.onnx", 500)
    process = start(source, "-o", tmp_path / "deep.engine", "--target", "8.6", "--verbose")
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


def build_in_turn(sources: list[Path], target: Path) -> None:
    """Build one engine over the other until killed."""
    while True:
        for source in sources:
            build_engine(source, target, RTX_30, force=True)


@linux
def test_killed_at_any_moment_leaves_a_whole_engine_or_none(tmp_path: Path) -> None:
    sources = [upscaler(tmp_path / f"{seed}.onnx", seed=seed) for seed in range(2)]
    target = tmp_path / "killed" / "small.engine"
    target.parent.mkdir()
    duration = 0.0
    for source in sources:  # the first one loads libraries, too
        begun = time.perf_counter()
        build_engine(source, source.with_suffix(".engine"), RTX_30)
        duration = time.perf_counter() - begun
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([__name__])
    numbers = random.Random(0)  # noqa: S311  (moments, no secrets)
    seen: set[str] = set()
    for _ in range(30):
        process = server.Process(target=build_in_turn, args=(sources, target))
        process.start()
        time.sleep(numbers.uniform(0.05, 4 * duration))
        process.kill()
        process.join()
        if target.exists():
            assert read_header(target) is not None, "its size is what it says"
            info = read_sidecar(target)
            seen.add(info.source if info else "not described")
    assert {"0.onnx", "1.onnx"} <= seen, "the kills came before, between and after builds"
    time.sleep(1)
    build_engine(sources[0], target, RTX_30, force=True)
    info = read_sidecar(target)
    assert info is not None
    assert info.engine_sha256 == file_sha256(target)


def test_parser_that_crashes_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    source = tmp_path / "crash.onnx"
    onnx.save(computed_scale(), source)
    with pytest.raises(EngineError, match="QDQ"):
        build_engine(source, tmp_path / "crash.engine", RTX_30)
    unlinted = Job(
        flavour="rtx",
        onnx=str(source),
        engine=str(tmp_path / "crash.engine"),
        input_name="input",
        shapes=as_lists(Profile(), 8),
        targets=["8.6"],
        workspace=None,
        level=None,
        timing_cache=None,
        inspect=False,
        verbose=False,
    )
    with pytest.raises(EngineError, match=r"TensorRT crashed on crash\.onnx \((signal|exit code) "):
        run_job(unlinted, lambda _event: None, title="TensorRT", name=source.name)
    assert [path.name for path in tmp_path.iterdir()] == ["crash.onnx"]


def test_error_in_a_callback_ends_the_build(tmp_path: Path) -> None:
    class Impatient:
        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            raise AetherError(f"enough of {name} ({parent}, {steps} steps)")

        def step_complete(self, name: str, step: int) -> None: ...

        def phase_finish(self, name: str) -> None: ...

    source = deep(tmp_path / "deep.onnx", 500)
    begun = time.perf_counter()
    with pytest.raises(AetherError, match="enough"):
        build_engine(source, tmp_path / "deep.engine", RTX_30, monitor=Impatient())
    assert time.perf_counter() - begun < 4
    assert [path.name for path in tmp_path.iterdir()] == ["deep.onnx"]


@linux
def test_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    source = upscaler(tmp_path / "small.onnx")
    process = start(source, "-o", tmp_path / "new" / "small.engine", "--target", "8.6", limit=10_000)
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
    server = multiprocessing.get_context("forkserver")
    targets = [tmp_path / f"{number}.engine" for number in range(2)]
    builds = [server.Process(target=build_engine, args=(source, target, options)) for target in targets]
    for build in builds:
        build.start()
    for build in builds:
        build.join()
    assert [build.exitcode for build in builds] == [0, 0]
    assert all(read_sidecar(target) for target in targets), "which compares it with the engine's bytes"
    made = {f"{target.name}{end}" for target in targets for end in ("", ".json")}
    assert {path.name for path in tmp_path.iterdir()} == {"small.onnx", *made}
