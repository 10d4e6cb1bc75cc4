"""What an engine's first bytes tell, where nothing lies beside it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from ..errors import EngineError
from ..gate.files import read_file
from .runtime import RuntimeName

_MAGIC: dict[bytes, RuntimeName] = {b"ftrt": "tensorrt", b"vtrt": "rtx"}
_LAYOUT = struct.Struct("<4sI8xQ4B")
"""Magic, version of the layout, size of the file, version of TensorRT.

TensorRT's open trtexec reads the version of classic engines there (`ftrt`, layout 0); TensorRT for RTX 1.7
writes the same with `vtrt`, and the size.
"""


@dataclass(frozen=True)
class Header:
    """What built an engine."""

    runtime: RuntimeName
    version: str


def read_header(path: Path, content: bytes | None = None) -> Header | None:
    """Return what built an engine, or None for a file of an unknown kind or layout.

    `content` is the engine's bytes where they are read already. Raises `EngineError` if it cannot be read, or
    is shorter than it says or any engine is.
    """
    start = read_file(path, EngineError, length=_LAYOUT.size) if content is None else content[: _LAYOUT.size]
    size = path.stat().st_size if content is None else len(content)
    if len(start) < _LAYOUT.size:
        raise EngineError(f"{path} is no engine: it has {size} bytes only, copy or build it again")
    magic, layout, whole, *version = _LAYOUT.unpack(start)
    runtime = _MAGIC.get(magic)
    if runtime is None or layout != 0:
        return None
    if runtime == "rtx" and size != whole:
        raise EngineError(f"{path} is truncated: it has {size} bytes of {whole}, copy or build it again")
    return Header(runtime, ".".join(map(str, version)))
