"""From an ONNX file on disk to a model in memory, external data included."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OnnxError, missing_extras
from ..gate.files import read_file
from .bounds import check_bounds
from .external import ExternalData
from .tensors import bodies

if TYPE_CHECKING:
    from onnx import ModelProto

MODEL_BYTES = 2**31 - 1
"""How large a model in memory can be: no larger one can be written as a message of protobuf."""


@dataclass(frozen=True)
class OnnxFile:
    """A file that was read once."""

    content: bytes = field(repr=False)
    """The file itself, without what lies beside it."""
    model: ModelProto = field(repr=False)
    """With the tensors that lay beside the file."""
    has_external: bool
    """Whether there are such tensors."""


def read_model(path: Path) -> ModelProto:
    """Return the model of `read_onnx`, which tells what is raised."""
    return read_onnx(path).model


def read_onnx(path: Path) -> OnnxFile:
    """Read an ONNX file and the tensors it keeps in files beside it.

    Raises `OnnxError`, its sentence starting with the path, for a file that is not there, truncated or
    no ONNX model; for one that asks for more than it may (see `check_bounds`); and for external data that is
    missing, too short, not a regular file, or outside the file's folder. `MissingPackageError` without the
    package `onnx`.
    """
    content = read_file(path, OnnxError)
    if not content:
        raise OnnxError(f"{path} is empty: download or export it again")
    with missing_extras():
        model = _parse(path, content)
    try:
        outside = [
            tensor
            for body in bodies(model)
            for tensor in body.all_tensors()
            if tensor.data_location == tensor.EXTERNAL
        ]
        beside = ExternalData(path)
        for tensor in outside:
            beside.load(tensor)
        check_bounds(model)
    except UnicodeDecodeError as error:
        raise OnnxError(f"{path} is damaged: a name in it is not text, export it again") from error
    except OnnxError as error:
        if error.message.sentence.startswith(str(path)):
            raise
        raise OnnxError(f"{path}: {error.message.sentence}", error.message.hint) from error
    return OnnxFile(content, model, bool(outside))


def _parse(path: Path, content: bytes) -> ModelProto:
    from onnx import ModelProto  # first, so that its name is the one that is missing without the extra

    from google.protobuf.message import DecodeError  # isort: skip

    model = ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, MemoryError) as error:
        raise OnnxError(
            f"{path} is truncated or no ONNX file: expected a whole model, download or export it again"
        ) from error
    if not model.graph.node:
        raise OnnxError(
            f"{path} is no ONNX model: it holds no operators, give a file that was exported as one"
        )
    return model
