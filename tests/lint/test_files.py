"""ONNX files that cannot be read whole, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, external_data_helper, numpy_helper

from spandrel_aethernet.errors import OnnxError
from spandrel_aethernet.lint.linter import lint_onnx
from spandrel_aethernet.onnx_model.read import read_model

from .graphs import convolution


def save_with_external_data(path: Path, location: str = "weights.bin") -> ModelProto:
    """Write a Conv whose weight lies in a file beside it; `location` is what the file says about that."""
    model = convolution()
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    (path.parent / "weights.bin").write_bytes(weight.raw_data)
    external_data_helper.set_external_data(weight, location)
    weight.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    return model


def test_external_data_beside_the_file_are_read(tmp_path: Path) -> None:
    model = save_with_external_data(tmp_path / "model.onnx")
    stored = [numpy_helper.to_array(one) for one in read_model(tmp_path / "model.onnx").graph.initializer]
    for read, original in zip(stored, convolution().graph.initializer, strict=True):
        np.testing.assert_array_equal(read, numpy_helper.to_array(original))
    assert lint_onnx(str(tmp_path / "model.onnx")) == lint_onnx(convolution())
    with pytest.raises(OnnxError, match="constant_5 lies in another file"):
        lint_onnx(model)


def move_weights_out(path: Path) -> None:
    save_with_external_data(path)
    outside = path.parent.parent / f"{path.parent.name}.bin"
    (path.parent / "weights.bin").rename(outside)
    (path.parent / "weights.bin").symlink_to(outside)


def lose_weights(path: Path) -> None:
    save_with_external_data(path)
    (path.parent / "weights.bin").unlink()


def cut_weights(path: Path) -> None:
    save_with_external_data(path)
    (path.parent / "weights.bin").write_bytes(b"too short")


def damage(path: Path) -> None:
    model = convolution()
    model.graph.initializer[0].raw_data = b"\0"
    path.write_bytes(model.SerializeToString())


def lose_outputs(path: Path) -> None:
    model = convolution()
    del model.graph.node[0].output[:]
    path.write_bytes(model.SerializeToString())


WHOLE = convolution().SerializeToString()
FILES: list[tuple[str, Callable[[Path], object], str]] = [
    ("none.onnx", lambda _path: None, "cannot be read: No such file"),
    ("folder.onnx", lambda path: path.mkdir(), "cannot be read: "),
    ("empty.onnx", lambda path: path.write_bytes(b""), "is empty"),
    (
        "truncated.onnx",
        lambda path: path.write_bytes(WHOLE[: len(WHOLE) // 2]),
        "is truncated or no ONNX file",
    ),
    ("text.onnx", lambda path: path.write_text("hello, this is text"), "is truncated or no ONNX file"),
    ("picture.onnx", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" * 9), "is truncated or no ONNX file"),
    (
        "tensor.onnx",
        lambda path: path.write_bytes(convolution().graph.initializer[0].SerializeToString()),
        "no ONNX",
    ),
    ("damaged.onnx", damage, ": constant_0 is damaged"),
    ("halved.onnx", lose_outputs, ": the model is damaged, ONNX's checker says: "),
    ("above.onnx", lambda path: save_with_external_data(path, "../secret.bin"), "outside its own folder"),
    ("absolute.onnx", lambda path: save_with_external_data(path, "/etc/hosts"), "outside its own folder"),
    ("link.onnx", move_weights_out, "outside its own folder"),
    ("lost.onnx", lose_weights, "keeps constant_5 in weights.bin, which cannot be read"),
    ("cut.onnx", cut_weights, "constant_5 in weights.bin, which is truncated"),
]


@pytest.mark.parametrize(("name", "write", "message"), FILES, ids=[case[0] for case in FILES])
def test_unreadable_files_get_one_sentence(
    name: str, write: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "folder" / name
    path.parent.mkdir()
    write(path)
    with pytest.raises(OnnxError, match=message) as raised:
        lint_onnx(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)
