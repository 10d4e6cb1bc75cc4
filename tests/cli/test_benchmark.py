"""`aethernet benchmark`: contestants in processes of their own, told as a table, a document and a picture."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spandrel_aethernet.images.files import read_picture

from ..artifacts import Artifacts
from ..conftest import Result, start
from ..inference.onnx_files import weights, write_onnx


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.pth@fast"], "x.pth@fast: 'fast' is no option: expected one of pytorch, onnx"),
        (["x.bin"], "x.bin is not named like a checkpoint, an ONNX file or an engine"),
        (["x.pth", "--plot", "x.bmp"], "x.bmp is not named like a chart"),
        (["gone.pth"], "gone.pth cannot be read"),
    ],
)
def test_what_cannot_be_run_is_said_at_once(
    arguments: list[str],
    message: str,
    aethernet: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = aethernet("benchmark", *arguments)
    assert (result.code, result.out) == (1, "")
    assert message in result.err


@pytest.mark.parametrize("size", ["0", "64x", "x64", "64x0", "1080p", "64x64x64"])
def test_a_size_is_a_side_or_width_and_height(size: str, aethernet: Callable[..., Result]) -> None:
    with pytest.raises(SystemExit) as error:
        aethernet("benchmark", "--sizes", size)
    assert error.value.code == 2


@pytest.mark.slow  # a process for each takes seconds to begin
def test_one_document_tells_all(
    artifacts: Artifacts, tmp_path: Path, aethernet: Callable[..., Result]
) -> None:
    pytest.importorskip("matplotlib")
    files = f"{artifacts.tiny}@float32", str(artifacts.onnx("fp32"))
    plot = tmp_path / "speed.png"
    options = "--sizes", 16, "32x16", "--repeats", 2, "--json", "--quality", "--plot", plot
    result = aethernet("benchmark", *files, *options)
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert {*document} == {"files", "machine", "contestants", "sizes"}
    assert document["files"] == [*files]
    assert {"cpu", "cores", "system", "python", "libraries", "threads", "environment"} <= {
        *document["machine"]
    }
    first, second = document["contestants"]
    assert [first["name"], second["name"]] == ["tiny.pth, float32", artifacts.onnx("fp32").name]
    assert (first["file"], first["form"]) == (str(artifacts.tiny), None)
    assert first["options"] == {"device": "cpu", "dtype": "float32"}
    assert first["quality"]["lost"] == 0
    assert first["quality"]["to_first"] is None
    assert second["quality"]["to_first"] > 40
    assert first["load_seconds"] > 0
    assert first["multiply_adds_per_pixel"] == pytest.approx(second["multiply_adds_per_pixel"], rel=0.05)
    assert first["growth"] is not None
    assert [(size["width"], size["height"]) for size in document["sizes"]] == [(16, 16), (32, 16)]
    for size in document["sizes"]:
        assert size["matrix_gflops"] > 0
        for one in size["results"]:
            low, high = one["quartiles"]
            assert 0 < low <= one["seconds"] <= high
            assert len(one["passes"]) == 2
            assert one["frames_per_second"] == pytest.approx(1 / one["seconds"])
            assert one["share_of_matrix"] > 0
            assert one["peak_bytes"] >= 0
        assert size["results"][1]["ratio"] == size["results"][0]["seconds"] / size["results"][1]["seconds"]
    assert read_picture(plot).pixels.shape[2] >= 3


@pytest.mark.slow
def test_one_checkpoint_is_timed_in_its_forms(artifacts: Artifacts, aethernet: Callable[..., Result]) -> None:
    result = aethernet("benchmark", artifacts.tiny, "--sizes", 16, "--repeats", 1)
    assert result.code == 0, result.err
    for form in ("not fused", "fused", "folded"):
        assert f"tiny.pth: {form}, 2x, float32 on cpu" in result.err
    lines = result.out.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("input"))
    names = [re.split("  +", line)[1] for line in lines[begin + 1 : begin + 5]]
    assert names == ["tiny.pth, not fused", "tiny.pth, fused", "tiny.pth, folded", "tiny.pth"]


@pytest.mark.slow
def test_models_of_two_kinds_are_not_compared(tmp_path: Path, aethernet: Callable[..., Result]) -> None:
    grey = write_onnx(tmp_path / "grey.onnx", weights(channels=1), shape=("n", 1, "h", "w"))
    result = aethernet("benchmark", write_onnx(tmp_path / "rgb.onnx"), grey, "--sizes", 16)
    assert (result.code, result.out) == (1, "")
    assert "grey.onnx has channels 1 and rgb.onnx 3: only models of one scale" in result.err


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at Linux's processes")
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.release)])
def test_a_benchmark_that_is_ended_leaves_no_process(number: signal.Signals, artifacts: Artifacts) -> None:
    with start("benchmark", artifacts.tiny, "--sizes", 512, "--repeats", 999) as command:
        assert command.stderr is not None
        for _ in range(4):  # all are loaded
            assert "tiny.pth" in command.stderr.readline()
        children = children_of(command.pid)
        assert len(children) == 5, "one that multiplies matrices too"
        command.send_signal(number)
        code = command.wait(30)
        said = command.stderr.read()
    assert code == (-9 if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in said
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.05)


def children_of(process: int) -> list[int]:
    found: list[int] = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            found.append(int(file.parent.name))
    return found
