"""How the command line names arguments of functions, and shows progress."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from spandrel_aethernet.cli.console import print_table
from spandrel_aethernet.cli.options import option_words
from spandrel_aethernet.cli.progress import Bars


@pytest.mark.parametrize(
    ("argument", "value", "words"),
    [
        ("force", True, "--force"),
        ("engine", False, "--no-engine"),
        ("tile", None, "--tile"),
        ("tile", 64, "--tile 64"),
        ("targets", "8.9", "--target 8.9"),
        ("calibration", None, "--calibrate"),
        ("verified", False, "--no-verify"),
        ("optimization_level", 3, "--optimization-level 3"),
    ],
)
def test_hints_name_options(argument: str, value: object, words: str) -> None:
    assert option_words(argument, value) == words


def test_a_step_within_another_is_gone_when_the_next_begins() -> None:
    display = Progress(console=Console(file=io.StringIO()))
    bars = Bars(display)
    bars.begin("files", 2)
    bars.begin("first", 3, within="files")
    bars.advance()
    bars.advance("files")
    assert [(task.description, task.completed) for task in display.tasks] == [("files", 1), ("  first", 1)]
    bars.begin("second", 4, within="files")
    assert [task.description for task in display.tasks] == ["files", "  second"]
    bars.advance("first")
    assert [task.completed for task in display.tasks] == [1, 0]


def test_tables_in_a_pipe_are_neither_wrapped_nor_cut(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a" * 500
    print_table(["file", "size"], [[name, "1"], ["[b]", "1000"]])
    assert capsys.readouterr().out.splitlines() == [
        f"file{' ' * 496}  size",
        f"{name}     1",
        f"[b]{' ' * 497}  1000",
    ]
