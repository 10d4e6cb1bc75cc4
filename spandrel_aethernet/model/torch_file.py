"""The tensors in a file that `torch.save` wrote, of either of its formats.

The formats are those of torch/serialization.py: since PyTorch 1.6 a zip archive with a pickle and an entry
for each storage, before that pickles with the storages behind them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import torch
from torch import Tensor

from ..gate.archives import open_archive
from ..gate.pickles import CodeError, QuantizedError, read_pickle
from ..gate.records import ELEMENT_BYTES, Storage, TensorRecord

CPU = torch.device("cpu")
_DTYPES: Mapping[str, torch.dtype] = {
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "IntStorage": torch.int32,
    "FloatStorage": torch.float32,
    "LongStorage": torch.int64,
    "DoubleStorage": torch.float64,
}
_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of the older format."""


def read_torch_file(content: bytes, device: torch.device = CPU) -> Any:
    """Return what a file holds, its tensors on `device`; nothing that is in it is run.

    Raises ValueError, which says what is wrong as `is …`, for anything but tensors, numbers and texts in
    dictionaries, lists and tuples, and of that kind `CodeError` for code.
    """
    if not content:
        raise ValueError("is empty: download or copy it again")
    try:
        if content.startswith(b"PK"):
            return _read_archive(content, device)
        if content.startswith(b"\x80"):
            return _read_legacy(content, device)
    except QuantizedError as error:
        raise ValueError(
            "is an int8 model that torch.ao converted, which PyTorch's own quantised kernels alone can run: "
            "give the float or QAT checkpoint it was made from"
        ) from error
    except CodeError as error:
        raise CodeError(
            f"is refused, because it holds {error}: get a checkpoint from a source you trust"
        ) from error
    raise ValueError("is not a PyTorch file")


def _read_archive(content: bytes, device: torch.device) -> Any:
    archive = open_archive(content)
    storages = _Storages(lambda storage: archive.read(f"data/{storage.key}"), device)
    try:
        if "byteorder" in archive.entries and archive.read("byteorder").decode() != sys.byteorder:
            raise ValueError("its numbers have another machine's byte order")
        return read_pickle(BytesIO(archive.read("data.pkl")), storages.tensor)
    except (CodeError, QuantizedError):
        raise
    except ValueError as error:
        reason = "is refused: it holds something other than plain tensors, or is damaged"
        raise ValueError(f"{reason} ({error})") from error


def _read_legacy(content: bytes, device: torch.device) -> Any:
    file = BytesIO(content)
    found: dict[str, Storage] = {}

    def note(record: TensorRecord) -> None:
        found[record.storage.key] = record.storage

    try:
        if read_pickle(file, note) != _MAGIC:
            raise ValueError("it does not start as one")
        read_pickle(file, note)  # the format's version
        read_pickle(file, note)  # the machine that wrote it
        start = file.tell()
        read_pickle(file, note)
        keys = read_pickle(file, note)
        contents = {key: _next_storage(file, found[key]) for key in keys}
        file.seek(start)
        return read_pickle(file, _Storages(lambda storage: contents[storage.key], device).tensor)
    except (CodeError, QuantizedError):
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"is damaged, truncated or no PyTorch checkpoint ({error})") from error


def _next_storage(file: BytesIO, storage: Storage) -> bytearray:
    elements = int.from_bytes(file.read(8), "little")
    if elements != storage.elements:
        raise ValueError(f"storage {storage.key} has {elements} values instead of {storage.elements}")
    size = elements * ELEMENT_BYTES[storage.kind]
    if size > len(file.getbuffer()) - file.tell():
        raise ValueError(f"storage {storage.key} announces more bytes than the file has")
    return bytearray(file.read(size))


class _Storages:
    """Makes tensors of the bytes of storages, each of which is fetched once."""

    def __init__(self, fetch: Callable[[Storage], bytearray], device: torch.device) -> None:
        self._fetch, self._device = fetch, device
        self._fetched: dict[str, tuple[Storage, Tensor]] = {}

    def tensor(self, record: TensorRecord) -> Tensor:
        storage = record.storage
        known, values = self._fetched.get(storage.key) or (storage, self._values(storage))
        if known != storage:
            raise ValueError(f"storage {storage.key} is described in two ways")
        self._fetched[storage.key] = storage, values
        try:
            return values.as_strided(record.size, record.stride, record.offset)
        except (RuntimeError, TypeError, OverflowError) as error:
            raise ValueError(f"storage {storage.key} has no such tensor") from error

    def _values(self, storage: Storage) -> Tensor:
        content = self._fetch(storage)
        if len(content) != storage.elements * ELEMENT_BYTES[storage.kind]:
            raise ValueError(f"storage {storage.key} has {len(content)} bytes: not {storage.elements} values")
        dtype = _DTYPES[storage.kind]
        values = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        return values.to(self._device)
