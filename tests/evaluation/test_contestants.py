"""What stands behind an @ becomes arguments of `open_model`, or one sentence."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from spandrel_aethernet.errors import ArgumentError
from spandrel_aethernet.evaluation.contestants import (
    Contestant,
    every_way,
    in_forms,
    names_of,
    parse_contestant,
)


@pytest.mark.parametrize(
    ("text", "options", "form"),
    [
        ("x.pth", {}, None),
        ("x.pth@bfloat16", {"dtype": "bfloat16"}, None),
        ("x.pth@float32,compile", {"dtype": "float32", "compile": True}, None),
        ("x.pth@cuda:1,weights=raw", {"device": "cuda:1", "weights": "raw"}, None),
        ("x.pth@tensorrt,precision=fp16", {"backend": "tensorrt", "precision": "fp16"}, None),
        ("x.onnx@cuda", {"provider": "cuda"}, None),
        ("x.onnx@cuda,tensorrt", {"device": "cuda", "backend": "tensorrt"}, None),
        ("x.onnx@provider=dml", {"provider": "dml"}, None),
        ("x.engine@cuda:1", {"device": "cuda:1"}, None),
        ("x.pth@plain", {}, "plain"),
        ("x.pth@not-fused,cuda", {"device": "cuda"}, "not-fused"),
    ],
)
def test_options_become_arguments(text: str, options: dict[str, str | bool], form: str | None) -> None:
    found = parse_contestant(text)
    assert found.path == Path(text.partition("@")[0])
    assert (found.options, found.form) == (options, form)
    assert found.named("n") == ", ".join(["n", *text.partition("@")[2].split(",")]).rstrip(", ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x.pth@fast", "x.pth@fast: 'fast' is no option: expected one of pytorch, onnx"),
        ("x.pth@", "x.pth@: '' is no option"),
        ("x.pth@float32,bfloat16", "x.pth@float32,bfloat16: dtype is given twice"),
        ("x.pth@cpu,device=cuda", "device is given twice"),
        ("x.pth@dtype=half", "dtype is 'half': expected one of auto, float32, float16, bfloat16"),
        ("x.pth@trust=yes", "'trust=yes' is no option"),
        ("x.pth@fused,folded", "fused is for a checkpoint, with no other option but a device"),
        ("x.pth@folded,compile", "folded is for a checkpoint, with no other option but a device"),
        ("x.onnx@fused", "fused is for a checkpoint"),
        ("x.pth@onnx,cpu", "x.pth is not named like a file that onnx runs"),
    ],
)
def test_what_is_no_option_is_said(text: str, message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        parse_contestant(text)
    assert message in str(error.value)


def test_a_name_with_an_at_is_found_if_the_file_is_there(tmp_path: Path) -> None:
    file = tmp_path / "x@2.pth"
    file.touch()
    assert parse_contestant(str(file)) == Contestant(file)
    assert parse_contestant(f"{file}@bfloat16").path == file


def test_defaults_are_for_what_says_nothing_itself() -> None:
    def placed(text: str, device: str) -> dict[str, str | bool]:
        return dict(parse_contestant(text).placed(device, trust=True).options)

    assert placed("x.pth", "cuda:1") == {"device": "cuda:1"}
    assert placed("x.pth@cpu", "cuda:1") == {"device": "cpu"}
    assert placed("x.engine", "cpu") == {"device": "auto", "trust": True}
    assert placed("x.onnx@tensorrt", "cuda:1") == {"backend": "tensorrt", "device": "cuda:1"}
    assert placed("x.onnx", "cpu") == {"backend": "onnx", "provider": "cpu"}
    assert placed("x.onnx", "cuda") == {"backend": "onnx"}
    assert placed("x.onnx@cuda", "cpu") == {"backend": "onnx", "provider": "cuda"}
    assert placed("x.onnx@openvino", "cpu") == {"backend": "openvino", "device": "cpu"}
    assert placed("x.onnx@openvino,device=gpu", "cpu") == {"backend": "openvino", "device": "gpu"}


def test_forms_of_a_checkpoint() -> None:
    one = parse_contestant("x.pth")
    assert names_of(in_forms(one, fused=False)) == [
        "x.pth, not fused",
        "x.pth, fused",
        "x.pth, folded",
        "x.pth",
    ]
    assert names_of(in_forms(one, fused=True)) == ["x.pth, fused", "x.pth, folded", "x.pth"]


def test_every_way_of_a_file() -> None:
    found, notes = every_way(parse_contestant("x.pth"), "cpu")
    assert [one.options for one in found] == [
        {"dtype": "float32"},
        {"dtype": "bfloat16"},
        {"dtype": "float32", "compile": True},
        {"dtype": "bfloat16", "compile": True},
    ]
    assert notes == []
    assert len(every_way(parse_contestant("x.pth"), "cuda")[0]) == 6
    found, notes = every_way(parse_contestant("x.onnx"), "cpu")
    if find_spec("openvino"):
        assert ([one.words for one in found], notes) == (["onnx", "openvino"], [])
    else:
        assert [one.words for one in found] == ["onnx"]
        assert "openvino, which is not installed here" in notes[0]
    engine = parse_contestant("x.engine")
    assert every_way(engine, "cuda") == ([engine], [])


def test_names_tell_files_apart() -> None:
    same = [parse_contestant(text) for text in ("a/x.pth@float32", "b/x.pth@float32", "b/x.pth")]
    assert names_of(same[1:]) == ["x.pth, float32", "x.pth"]
    assert names_of(same) == [str(one.path) + (", float32" if one.words else "") for one in same]
