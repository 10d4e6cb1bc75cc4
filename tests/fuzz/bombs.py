"""A few kilobytes that unpack to gigabytes of zeros."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import cache

_BLOCK = 10**6


@cache
def raw_zeros(count: int) -> bytes:
    """Return `count` zeros in the deflate format."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(_BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush nothing refers to what was before, so that blocks can follow in any number.
    return block * (count // _BLOCK) + packer.compress(bytes(count % _BLOCK)) + packer.flush()


def zlib_zeros(count: int) -> bytes:
    """Return `count` zeros in the zlib format, as PNG holds them."""
    return b"\x78\xda" + raw_zeros(count) + struct.pack(">HH", count % 65_521, 1)


@cache
def _checksum(count: int) -> int:
    checksum = 0
    for start in range(0, count, _BLOCK):
        checksum = zlib.crc32(bytes(min(_BLOCK, count - start)), checksum)
    return checksum


def zip_of_zeros(name: str, count: int, others: Sequence[tuple[str, bytes]]) -> bytes:
    """Return a zip file of a deflated entry of zeros after others that are stored."""
    parts, directory, place = list[bytes](), list[bytes](), 0
    packed = [(other, 0, content, len(content), zlib.crc32(content)) for other, content in others]
    packed.append((name, 8, raw_zeros(count), count, _checksum(count)))
    for entry, method, content, size, checksum in packed:
        title = entry.encode()
        fields = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 33, checksum, len(content), size, len(title), 0)
        parts.append(b"PK\x03\x04" + fields + title + content)
        directory.append(
            b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, place) + title
        )
        place += len(parts[-1])
    listed = b"".join(directory)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(packed), len(packed), len(listed), place, 0)
    return b"".join(parts) + listed + end
