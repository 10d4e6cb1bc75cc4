"""From an ONNX file on disk to a model in memory, external data included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OnnxError, missing_extras

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto


def read_model(path: Path) -> ModelProto:
    """Read an ONNX file and the tensors it keeps in files beside it.

    Raises `OnnxError`, its sentence starting with the path, for a file that is not there, truncated or
    no ONNX model, and for external data that is missing, too short or outside the file's folder;
    `MissingPackageError` without the package `onnx`.
    """
    with missing_extras():
        model = _parse(path, _content(path))
    external = [tensor for tensor in _tensors(model.graph) if tensor.data_location == tensor.EXTERNAL]
    for tensor in external:
        _load_external(path, tensor)
    return model


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OnnxError(f"{path} cannot be read: {error.strerror or error}") from error
    if not content:
        raise OnnxError(f"{path} is empty: download or export it again")
    return content


def _parse(path: Path, content: bytes) -> ModelProto:
    from onnx import ModelProto  # first, so that its name is the one that is missing without the extra

    from google.protobuf.message import DecodeError  # isort: skip

    model = ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise OnnxError(
            f"{path} is truncated or no ONNX file: expected a whole model, download or export it again"
        ) from error
    if not model.graph.node:
        raise OnnxError(
            f"{path} is no ONNX model: it holds no operators, give a file that was exported as one"
        )
    return model


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield every tensor of a graph and of the graphs inside its nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from _tensors(inner)


def _load_external(path: Path, tensor: TensorProto) -> None:
    """Put a tensor's bytes into the model."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    source = path.parent / location
    if not location or not source.resolve().is_relative_to(path.parent.resolve()):
        raise OnnxError(
            f"{path} keeps {tensor.name} in {location!r}, outside its own folder: "
            "such files are refused, save it with its data beside it"
        )
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
        with source.open("rb") as file:
            file.seek(offset)
            data = file.read(length)
    except OSError as error:
        raise OnnxError(
            f"{path} keeps {tensor.name} in {location}, which cannot be read ({error.strerror or error}): "
            "copy both files to one folder"
        ) from error
    except ValueError as error:
        raise OnnxError(f"{path} is damaged: {tensor.name} has no readable place in {location}") from error
    if not data or 0 <= length != len(data):
        raise OnnxError(
            f"{path} keeps {tensor.name} in {location}, which is truncated: copy or export both files again"
        )
    tensor.raw_data = data
    tensor.data_location = tensor.DEFAULT
    del tensor.external_data[:]
