"""Sentences and hints, wrong choices, missing packages."""

from __future__ import annotations

import importlib
import sys

import pytest

from spandrel_aethernet.errors import (
    AetherError,
    ArgumentError,
    Hint,
    Message,
    MissingPackageError,
    OutputError,
    check_choice,
    missing_extras,
)


def test_a_hint_names_arguments_as_its_reader_knows_them() -> None:
    error = OutputError("a.png is kept", Hint("give {tile} or {force}", force=True))
    assert str(error) == "a.png is kept: give tile or force=True"
    shown = error.message.text(lambda name, value: f"<{name} {value}>")
    assert shown == "a.png is kept: give <tile None> or <force True>"


def test_hints_can_be_joined() -> None:
    joined = Hint("give {tile}", tile=64) + Hint("or {force}", force=True)
    assert joined.text() == "give tile=64; or force=True"


def test_without_a_hint_there_is_the_sentence_alone() -> None:
    assert str(Message("it is damaged")) == str(AetherError("it is damaged")) == "it is damaged"


def test_braces_in_a_sentence_stay() -> None:
    assert (
        str(AetherError("{odd}.png is empty", Hint("copy it again"))) == "{odd}.png is empty: copy it again"
    )


def test_a_wrong_choice_lists_the_right_ones() -> None:
    check_choice("weights", "raw", ("grid", "raw"))
    with pytest.raises(ArgumentError, match=r"^weights is 'rwa': expected one of grid, raw$"):
        check_choice("weights", "rwa", ("grid", "raw"))
    with pytest.raises(ValueError, match="weights is None"):
        check_choice("weights", None, ("grid", "raw"))


@pytest.mark.parametrize(
    ("package", "extra"), [("onnx.helper", "onnx"), ("onnxruntime", "onnx"), ("skimage.metrics", "compare")]
)
def test_a_missing_package_comes_with_the_command_that_installs_it(
    package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, package, raising=False)  # another test may have imported it
    monkeypatch.setitem(sys.modules, package.partition(".")[0], None)
    expected = rf'is not installed here: pip install "spandrel-aethernet\[{extra}\]"$'
    with pytest.raises(MissingPackageError, match=expected), missing_extras():
        importlib.import_module(package)


def test_another_missing_module_is_a_fault_of_the_program() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), missing_extras():
        importlib.import_module("no_such_module")
