"""Bytes of a file of any format, changed without knowing what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from ..files import CONTROLS, File

Change = Callable[[Random, bytes, bytes], bytes]
"""Takes the bytes of a file and those of another one."""

_EDGE = 2000
"""Bytes at either end, where formats keep most of what tells the rest."""


def changed(random: Random, pool: Sequence[File]) -> File:
    """Return a file with some of its bytes changed in one or a few ways."""
    file, other = random.choice(pool), random.choice(pool)
    content = file.content
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        content = random.choice(_CHANGES)(random, content, other.content)
    return file.holding(content)


def changed_beside(random: Random, pool: Sequence[File]) -> File:
    """Return a file with bytes changed, or missing, of what lies beside it."""
    file = random.choice([one for one in pool if one.beside])
    name = random.choice(sorted(file.beside))
    kept = {key: value for key, value in file.beside.items() if key != name}
    if random.random() < 0.1:
        return replace(file, beside=kept)
    content = random.choice(_CHANGES)(random, file.beside[name], file.content)
    return replace(file, beside={**kept, name: content})


def renamed(random: Random, pool: Sequence[File], suffixes: Sequence[str]) -> File:
    """Return a file under the suffix of another format, or a name with what acts on a terminal."""
    file = random.choice(pool)
    suffix = random.choice([*suffixes, *(one.upper() for one in suffixes)])
    stem = random.choice(("model", f"model{CONTROLS}", "-", "model.tar", "é😀", " "))
    return replace(file, name=f"{stem}{suffix}")


def _place(random: Random, content: bytes) -> int:
    """Return an offset; every other one is near an end."""
    size = len(content)
    edge = random.randrange(min(_EDGE, size) + 1)
    return random.choice((edge, size - edge, random.randrange(size + 1)))


def _flip(random: Random, content: bytes, _other: bytes) -> bytes:
    flipped = bytearray(content)
    for _ in range(random.choice((1, 1, 4, 64)) if content else 0):
        place = min(_place(random, content), len(content) - 1)
        flipped[place] ^= 1 << random.randrange(8)
    return bytes(flipped)


def _truncate(random: Random, content: bytes, _other: bytes) -> bytes:
    return content[: _place(random, content)]


def _cut(random: Random, content: bytes, _other: bytes) -> bytes:
    start = _place(random, content)
    return content[:start] + content[start + random.choice((1, 4, 64, 1000)) :]


def _insert(random: Random, content: bytes, _other: bytes) -> bytes:
    place, count = _place(random, content), random.choice((1, 4, 64, 5000))
    filling = random.choice((random.randbytes(count), b"\xff" * count, b"(" * count, b"\x80" * count))
    return content[:place] + filling + content[place:]


def _duplicate(random: Random, content: bytes, _other: bytes) -> bytes:
    start, place = _place(random, content), _place(random, content)
    part = content[start : start + random.choice((4, 100, 5000))]
    return content[:place] + part * random.choice((1, 2, 50)) + content[place:]


def _zero(random: Random, content: bytes, _other: bytes) -> bytes:
    start, count = _place(random, content), random.choice((4, 100, 5000))
    part = content[start : start + count]
    return content[:start] + random.choice((b"\0", b"\xff")) * len(part) + content[start + count :]


def _number(random: Random, content: bytes, _other: bytes) -> bytes:
    """Overwrite what may be a count or an offset."""
    start, width = _place(random, content), random.choice((2, 4, 8))
    value = random.choice((0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), random.getrandbits(8 * width)))
    return (
        content[:start] + value.to_bytes(width, random.choice(("big", "little"))) + content[start + width :]
    )


def _splice(random: Random, content: bytes, other: bytes) -> bytes:
    return content[: _place(random, content)] + other[_place(random, other) :]


def _append(random: Random, content: bytes, other: bytes) -> bytes:
    return random.choice((content + other, other + content, content * 2))


_CHANGES: tuple[Change, ...] = (
    _flip,
    _flip,
    _truncate,
    _cut,
    _insert,
    _duplicate,
    _zero,
    _number,
    _number,
    _splice,
    _append,
)
