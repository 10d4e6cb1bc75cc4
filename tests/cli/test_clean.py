"""Nothing that a name holds acts on a terminal, and what ends standard output ends a command in order."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from rich.console import Console
from rich.progress import Progress

from spandrel_aethernet.cli import console
from spandrel_aethernet.cli.clean import clean
from spandrel_aethernet.cli.progress import Bars

from ..artifacts import Artifacts
from ..conftest import Result

HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\x7f\x9b31m\u202egnp\u2066\u061c\u200f\u2028.pth"
ESCAPED = r"\x1b]0;owned\x07\x1b[2J\r\x7f\x9b31m\u202egnp\u2066\u061c\u200f\u2028.pth"
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""All of it but the ends of lines, which the command means."""
posix = pytest.mark.skipif(sys.platform == "win32", reason="names with control characters, /dev/full")


def test_every_character_that_acts_is_escaped_and_no_other() -> None:
    acting = {*range(32), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F}
    acting |= {*range(0x2028, 0x202F), *range(0x2066, 0x206A)}
    for code in range(0x3000):
        text = chr(code)
        shown = clean(text)
        assert (shown != text) == (code in acting)
        assert shown.isascii() or shown == text
    assert clean("café ×2 図.png") == "café ×2 図.png"


@posix
@pytest.mark.parametrize(
    "arguments",
    [
        ["info", HOSTILE],
        ["lint", f"{HOSTILE}.onnx"],
        ["upscale", HOSTILE, "-o", "out.png"],
        ["fuse", HOSTILE, "-o", f"{HOSTILE}.xyz"],
        ["engine", f"{HOSTILE}.onnx", "-o", "x.engine", "--dry-run"],
        ["info", "x.pth", HOSTILE],
        [HOSTILE],
        ["benchmark", "--sizes", HOSTILE],
    ],
    ids=lambda arguments: ascii(arguments)[:12],
)
def test_a_name_in_an_error_acts_on_nothing(
    arguments: list[str], capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spandrel_aethernet.cli import main

    monkeypatch.chdir(tmp_path)
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    said = capfd.readouterr()
    assert code in (1, 2)
    assert "owned" in said.err
    assert ACTS.findall(said.out + said.err) == []


@posix
def test_a_name_in_a_table_and_in_json_acts_on_nothing(
    aethernet: Callable[..., Result], artifacts: Artifacts, tmp_path: Path
) -> None:
    source = tmp_path / HOSTILE
    source.write_bytes(artifacts.tiny.read_bytes())
    told = aethernet("info", source)
    assert f"{tmp_path}/{ESCAPED}" in told.out
    assert ACTS.findall(told.out) == []
    document = aethernet("info", source, "--json").out
    assert ACTS.findall(document) == []
    assert document.isascii()
    assert json.loads(document)["file"] == str(source)
    fused = aethernet("fuse", source, "-o", tmp_path / f"fused\x1b[m{HOSTILE}")
    assert fused.code == 0
    assert ACTS.findall(fused.out + fused.err) == []


def test_a_name_in_an_onnx_file_acts_on_nothing(aethernet: Callable[..., Result], tmp_path: Path) -> None:
    types = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in ("x", "z")]
    dequantize = helper.make_node("DequantizeLinear", ["q", "scale"], ["y"], name=HOSTILE)
    nodes = [dequantize, helper.make_node("Add", ["x", "y"], ["z"], name="add\nforged line")]
    stored = [
        helper.make_tensor("q", TensorProto.UINT8, [1, 3, 4, 4], [0] * 48),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [-1.0]),
    ]
    graph = helper.make_graph(nodes, "g", types[:1], types[1:], stored)
    path = tmp_path / "x.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    told = aethernet("lint", path)
    assert "owned" in told.out
    assert ACTS.findall(told.out + told.err) == []
    assert not any(line.startswith("forged") for line in told.out.splitlines())


def test_rich_keeps_its_own_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = console.Lines(
        file=io.StringIO(), force_terminal=True, color_system="standard", markup=False, highlight=False
    )
    terminal.print(HOSTILE, style="red")
    assert isinstance(terminal.file, io.StringIO)
    assert terminal.file.getvalue() == f"\x1b[31m{ESCAPED}\x1b[0m\n"
    out = console.Lines(file=io.StringIO(), force_terminal=True, width=10_000, soft_wrap=True)
    monkeypatch.setattr(console, "OUT", out)
    console.print_rows({"a\x1b": HOSTILE})
    console.print_table(["b\x1b"], [[HOSTILE]])
    assert isinstance(out.file, io.StringIO)
    assert ACTS.findall(re.sub(r"\x1b\[[0-9;]*m", "", out.file.getvalue())) == []


def test_a_step_of_a_bar_acts_on_nothing() -> None:
    display = Progress(console=Console(file=io.StringIO()))
    Bars(display).begin(HOSTILE, 1)
    assert [task.description for task in display.tasks] == [ESCAPED]


OUTPUTS = pytest.mark.parametrize(
    ("arguments", "unbuffered"),
    [
        (["--help"], ""),
        (["--version"], "1"),
        *(
            pytest.param(arguments, unbuffered, marks=mark)
            for unbuffered in ("", "1")
            for arguments, mark in (
                (["info", "tiny"], pytest.mark.slow),
                (["info", "tiny", "--json"], pytest.mark.release),
                (["info", "--help"], pytest.mark.slow),
                (["--version"], pytest.mark.slow),
            )
        ),
    ],
)
"""Written at once, or when the buffer is full or the interpreter ends."""


def run_to(stdout: int, arguments: list[str], artifacts: Artifacts, unbuffered: str) -> tuple[int, str]:
    """Run a command whose standard output is an open file, and return its exit code and stderr."""
    words = [str(artifacts.tiny) if word == "tiny" else word for word in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "spandrel_aethernet", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux' own")
@OUTPUTS
def test_a_full_device_is_one_sentence(arguments: list[str], artifacts: Artifacts, unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        told = run_to(full.fileno(), arguments, artifacts, unbuffered)
    assert told == (1, "aethernet: stdout cannot be written: No space left on device\n")


@OUTPUTS
def test_a_closed_pipe_ends_it_without_a_word(
    arguments: list[str], artifacts: Artifacts, unbuffered: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        told = run_to(writing, arguments, artifacts, unbuffered)
    finally:
        os.close(writing)
    assert told == (141, "")
