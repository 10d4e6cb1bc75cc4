"""Checkpoints whose archive lies: the zip of a `.pth`, and the tar that old versions of PyTorch wrote."""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Sequence
from io import BytesIO
from random import Random

from ..bombs import zip_of_zeros
from ..files import CONTROLS, File, Mutator, Seeds, odd_text
from ..pickling import pickled, unzipped, zipped
from .raw import changed

_CENTRAL, _LOCAL, _END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"
Entries = list[tuple[str, bytes]]


def zips(seeds: Seeds) -> Sequence[File]:
    """Return the checkpoints that are zip files."""
    return [file for file in seeds.checkpoints if file.content.startswith(b"PK")]


def entries(random: Random, seeds: Seeds) -> File:
    """Entries missing, doubled, renamed, in another order, or with another's content."""
    file = random.choice(zips(seeds))
    found = unzipped(file.content)
    for _ in range(random.choice((1, 1, 2, 4))):
        _change(random, found)
    return file.holding(zipped(found, deflated=random.random() < 0.2))


def _change(random: Random, found: Entries) -> None:
    place, other = random.randrange(len(found)), random.randrange(len(found))
    name, content = found[place]
    kind = random.randrange(8)
    if kind == 0 and len(found) > 1:
        del found[place]
    elif kind == 1:
        found.append((name, found[other][1]))
    elif kind == 2:
        found.insert(0, (name, random.choice((b"", b"3\n", pickled({}), found[other][1]))))
    elif kind == 3:
        folder = name.rpartition("/")[0]
        renamed = (odd_text(random)[:60_000], f"../{name}", f"/{name}", name.upper(), f"{folder}/")
        found[place] = (random.choice(renamed).encode("utf-8", "replace").decode() or "x", content)
    elif kind == 4:
        random.shuffle(found)
    elif kind == 5:
        found[place] = (name, content[: random.randrange(len(content) + 1)])
    elif kind == 6:
        found[place] = (name, content + random.randbytes(random.choice((1, 100))))
    else:
        extra = ("archive/.data/serialization_id", "archive/code/__torch__.py", "archive/constants.pkl")
        found.append((random.choice((*extra, f"archive/{CONTROLS}")), content))


def bomb(random: Random, seeds: Seeds) -> File:
    """A small file that becomes one of gigabytes: zeros, deflated."""
    file = random.choice(zips(seeds))
    found = unzipped(file.content)
    name, _ = found.pop(random.randrange(len(found)))
    return file.holding(zip_of_zeros(name, random.choice((2 * 10**8, 15 * 10**8)), found))


def directory(random: Random, seeds: Seeds) -> File:
    """Fields of the zip's own directory: disks, flags, methods, sizes, counts, places."""
    file = random.choice(zips(seeds))
    content = bytearray(file.content)
    for _ in range(random.choice((1, 1, 3))):
        start, places = random.choice(
            ((_CENTRAL, _FIELDS_CENTRAL), (_LOCAL, _FIELDS_LOCAL), (_END, _FIELDS_END))
        )
        found = _all(bytes(content), start)
        offset, width = random.choice(places)
        odd = (0, 1, 8, 99, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), random.getrandbits(8 * width))
        value = random.choice(odd)
        for header in found if random.random() < 0.3 else found[-1:]:
            content[header + offset : header + offset + width] = value.to_bytes(width, "little")
    return file.holding(bytes(content))


_FIELDS_CENTRAL = ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (34, 2), (42, 4))
_FIELDS_LOCAL = ((6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))
_FIELDS_END = ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))


def _all(content: bytes, start: bytes) -> list[int]:
    found: list[int] = []
    place = content.find(start)
    while place >= 0:
        found.append(place)
        place = content.find(start, place + 4)
    return found


def sixty_four(random: Random, seeds: Seeds) -> File:
    """A directory in the form for files of more than 4 GB, which points anywhere."""
    file = random.choice(zips(seeds))
    end = file.content.rfind(_END)
    number = random.choice((0, 1, 2**31, 2**32, 2**40, 2**63, 2**64 - 1))
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, number, number, number, number)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", random.choice((0, 3)), random.choice((end, number)), 1)
    rest = bytearray(file.content[end:])
    rest[8:20] = b"\xff" * 12
    return file.holding(file.content[:end] + record + locator + bytes(rest))


def tar(random: Random, _seeds: Seeds) -> File:
    """The tar form, with members that are pipes, links, devices, folders or outside."""
    kinds = (
        tarfile.FIFOTYPE,
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.DIRTYPE,
        tarfile.REGTYPE,
    )
    names = ("storages", "tensors", "pickle", "sys_info")
    odd = random.choice(names)
    members = [(name, random.choice(kinds) if name == odd else tarfile.REGTYPE) for name in names]
    if random.random() < 0.5:
        members = [(name if name != odd else f"../{name}", kind) for name, kind in members]
    content = tarred(members, data=random.choice((pickled(0), pickled({}), pickled(2**40), b"", b"\x80")))
    suffix = random.choice((".pth", ".pt", ".ckpt"))
    file = File(f"old{suffix}", content)
    return file if random.random() < 0.7 else changed(random, [file])


def tarred(members: Sequence[tuple[str, bytes]], *, data: bytes) -> bytes:
    """Return a tar file of members of any kind."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        for name, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = len(data) if kind == tarfile.REGTYPE else 0
            target.addfile(member, BytesIO(data) if member.size else None)
    return buffer.getvalue()


MUTATORS: tuple[tuple[float, Mutator], ...] = (
    (3, entries),
    (0.15, bomb),
    (3, directory),
    (0.5, sixty_four),
    (1, tar),
)
