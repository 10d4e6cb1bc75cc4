"""The zip archives that `torch.save` makes, opened in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from .pickles import CodeError

_PROGRAM = ("constants.pkl", "bytecode.pkl", "code/", "model.json", "mobile_debug_handles.json")
"""What archives of TorchScript hold besides tensors: entries, or folders of them."""
_ENCRYPTED = 1
"""The bit in an entry's flags."""


@dataclass(frozen=True)
class TorchArchive:
    """An archive whose entries are stored as they are, and all in it."""

    file: zipfile.ZipFile
    entries: Mapping[str, zipfile.ZipInfo]
    """By their names without the archive's own folder: `data.pkl`, `data/0` …"""

    def read(self, name: str) -> bytearray:
        """Return an entry's bytes; raises ValueError if it is not there or damaged."""
        if name not in self.entries:
            raise ValueError(f"its entry {name} is missing")
        try:
            return bytearray(self.file.read(self.entries[name]))
        except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
            raise ValueError(f"its entry {name} is damaged") from error


def open_archive(content: bytes) -> TorchArchive:
    """Open what `torch.save` wrote, without decompressing or running anything.

    Raises `CodeError` for TorchScript, and ValueError, which says what is wrong as `is …`, for an archive
    that is truncated, compressed, encrypted or split, names an entry twice, or announces more than it holds.
    """
    try:
        file = zipfile.ZipFile(BytesIO(content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise ValueError("is truncated: download or copy it again") from error
    infos = file.infolist()
    folder = next((info.filename.partition("/")[0] for info in infos), "")
    entries = {info.filename.removeprefix(f"{folder}/"): info for info in infos}
    if any(name.startswith(_PROGRAM) for name in entries):
        raise CodeError("a program (TorchScript)")
    if len(entries) < len(infos):
        raise ValueError("is refused: it holds two entries of one name")
    for info in infos:
        if info.flag_bits & _ENCRYPTED or info.compress_type != zipfile.ZIP_STORED:
            raise ValueError("is refused: its entries are compressed or encrypted, which PyTorch's never are")
    if sum(info.file_size for info in infos) > len(content):
        raise ValueError("is refused: its entries announce more bytes than the file has")
    return TorchArchive(file, entries)
