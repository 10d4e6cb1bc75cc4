"""Pickles put together by hand, which say what no honest program writes, and the archives around them."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

import torch
from torch import Tensor

PROTOCOL = b"\x80\x02"
_STORAGES = {
    torch.float32: "FloatStorage",
    torch.float16: "HalfStorage",
    torch.bfloat16: "BFloat16Storage",
    torch.float64: "DoubleStorage",
    torch.int32: "IntStorage",
    torch.int64: "LongStorage",
    torch.uint8: "ByteStorage",
    torch.int8: "CharStorage",
    torch.bool: "BoolStorage",
}


@dataclass(frozen=True)
class Global:
    """A name that the reader is asked to import."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """A call that the reader is asked to make."""

    function: object
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class Persistent:
    """What the reader looks up in the archive."""

    identity: object


@dataclass(frozen=True)
class Raw:
    """Opcodes as they are, which leave one value on the stack."""

    code: bytes


def pickled(value: object) -> bytes:
    """Return a whole pickle."""
    return PROTOCOL + code(value) + b"."


def code(value: object) -> bytes:
    """Return the opcodes that leave a value on the stack."""
    if isinstance(value, Raw):
        return value.code
    if isinstance(value, Global):
        return f"c{value.module}\n{value.name}\n".encode("utf-8", "surrogatepass")
    if isinstance(value, Call):
        return code(value.function) + code(value.arguments) + b"R"
    if isinstance(value, Persistent):
        return code(value.identity) + b"Q"
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        number = pickle.encode_long(value)
        if len(number) > 255:
            return b"\x8b" + struct.pack("<i", len(number)) + number
        return b"\x8a" + bytes([len(number)]) + number
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        return b"X" + struct.pack("<I", len(text)) + text
    if isinstance(value, tuple):
        return b"(" + b"".join(map(code, cast(tuple[object, ...], value))) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(code, cast(list[object], value))) + b"e"
    assert isinstance(value, Mapping)
    pairs = cast(Mapping[object, object], value).items()
    return b"}(" + b"".join(code(key) + code(item) for key, item in pairs) + b"u"


def tensor(
    numel: object,
    size: object,
    stride: object,
    *,
    offset: object = 0,
    key: object = "0",
    kind: str = "FloatStorage",
    place: object = "cpu",
) -> Call:
    """Return what rebuilds a tensor from the storage `key`."""
    storage = Persistent(("storage", Global("torch", kind), key, place, numel))
    hooks = Call(Global("collections", "OrderedDict"), ())
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), (storage, offset, size, stride, False, hooks))


def stored(state_dict: Mapping[str, Tensor]) -> tuple[dict[object, object], dict[str, bytes]]:
    """Return what to pickle for a state_dict, and its storages."""
    values: dict[object, object] = {}
    storages: dict[str, bytes] = {}
    for number, (key, value) in enumerate(state_dict.items()):
        whole = value.contiguous()
        values[key] = tensor(
            whole.numel(),
            tuple(whole.shape),
            tuple(whole.stride()),
            key=str(number),
            kind=_STORAGES[whole.dtype],
        )
        storages[str(number)] = whole.view(-1).view(torch.uint8).numpy().tobytes() if whole.numel() else b""
    return values, storages


def archive(content: bytes, storages: Mapping[str, bytes], *, deflated: bool = False) -> bytes:
    """Return a `.pth` as `torch.save` writes it: a pickle and storages in a zip file."""
    entries = [("archive/data.pkl", content), ("archive/byteorder", b"little"), ("archive/version", b"3\n")]
    entries += [(f"archive/data/{key}", data) for key, data in storages.items()]
    return zipped(entries, deflated=deflated)


def zipped(entries: Sequence[tuple[str, bytes]], *, deflated: bool = False) -> bytes:
    """Return a zip file; names may be given twice."""
    buffer = BytesIO()
    how = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", how) as target:
        warnings.simplefilter("ignore")  # of names given twice
        for name, content in entries:
            target.writestr(zipfile.ZipInfo(name), content, how)
    return buffer.getvalue()


def unzipped(content: bytes) -> list[tuple[str, bytes]]:
    """Return the names and contents of a sound zip file."""
    with zipfile.ZipFile(BytesIO(content)) as source:
        return [(info.filename, source.read(info)) for info in source.infolist()]


def saved(value: Any, *, legacy: bool = False) -> bytes:
    """Return what `torch.save` writes."""
    buffer = BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()
