"""Tensors that an ONNX file keeps in files beside it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from ..errors import OnnxError
from ..gate.files import read_file
from .tensors import byte_count

if TYPE_CHECKING:
    from onnx import TensorProto

_SHARED = 4
"""How many times over tensors may read what lies beside a file: some exporters store equal weights once."""


class ExternalData:
    """Reads the tensors of one ONNX file from its own folder and those below."""

    def __init__(self, path: Path) -> None:
        """Take the path of the ONNX file."""
        self._path = path
        self._sizes: dict[Path, int] = {}
        self._read = 0

    def load(self, tensor: TensorProto) -> None:
        """Put a tensor's bytes into the model.

        Raises `OnnxError`, its sentence starting with the path of the ONNX file or of the one beside it, for
        a place outside the folder, by a link too; for one that is no regular file or cannot be read; and for
        other bytes than the tensor's shape takes.
        """
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        source = self._inside(tensor.name, location)
        size = self._size(tensor.name, location, source)
        offset, length = self._place(tensor, entries, size)
        self._read += length
        if self._read > _SHARED * sum(self._sizes.values()):
            raise OnnxError(
                f"{self._path} reads the same data more than {_SHARED} times over: such files are refused"
            )
        data = read_file(source, OnnxError, offset=offset, length=length)
        if len(data) != length:
            raise self._truncated(tensor.name, location)
        tensor.raw_data = data
        tensor.data_location = tensor.DEFAULT
        del tensor.external_data[:]

    def _inside(self, name: str, location: str) -> Path:
        """Return the file itself, no link to it."""
        parts = PureWindowsPath(location)  # takes both kinds of separators
        folder = self._path.parent
        if location and not parts.anchor and ".." not in parts.parts:
            # Names that are too long, a circle of links, a null character.
            with suppress(OSError, RuntimeError, ValueError):
                source = (folder / location).resolve()
                if source.is_relative_to(folder.resolve()):
                    return source
        raise OnnxError(
            f"{self._path} keeps {name} in {location!r}, outside its own folder: "
            "such files are refused, save it with its data beside it"
        )

    def _size(self, name: str, location: str, source: Path) -> int:
        if source not in self._sizes:
            try:
                self._sizes[source] = source.stat().st_size
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise OnnxError(
                    f"{self._path} keeps {name} in {location}, which cannot be read ({reason}): "
                    "copy both files to one folder"
                ) from error
        return self._sizes[source]

    def _place(self, tensor: TensorProto, entries: dict[str, str], size: int) -> tuple[int, int]:
        """Return offset and length within a file of so many bytes."""
        location, needed = entries["location"], byte_count(tensor)
        try:
            offset = int(entries.get("offset", 0))
            length = int(entries["length"]) if "length" in entries else needed
        except ValueError:
            offset = length = -1
        if length is None:
            length = size - offset
        if min(offset, length) < 0:
            raise OnnxError(f"{self._path} is damaged: {tensor.name} has no readable place in {location}")
        if offset + length > size:
            raise self._truncated(tensor.name, location)
        if needed is not None and length != needed:
            raise OnnxError(
                f"{self._path} is damaged: {tensor.name} has {length} bytes in {location}, "
                f"its shape takes {needed}"
            )
        return offset, length

    def _truncated(self, name: str, location: str) -> OnnxError:
        return OnnxError(
            f"{self._path} keeps {name} in {location}, which is truncated: copy or export both files again"
        )
