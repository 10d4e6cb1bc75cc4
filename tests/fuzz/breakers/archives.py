"""Checkpoints whose archive ran code, hung or unpacked without end."""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Mapping

from ..bombs import zip_of_zeros
from ..files import File, Seeds
from ..mutators.archives import tarred
from ..pickling import pickled, unzipped
from ..scripts import writing
from .breaker import Breaker, Make, checkpoint, pipe, program


def _script(suffix: str) -> Make:
    return lambda _: File(f"script{suffix}", writing())


def _tar(suffix: str) -> Make:
    members = [("storages", tarfile.FIFOTYPE), ("tensors", tarfile.REGTYPE), ("pickle", tarfile.REGTYPE)]
    return lambda _: File(f"old{suffix}", tarred(members, data=pickled(0)))


def _bomb(entry: str) -> Make:
    """Return what makes a zip whose entry of that name is 1.5 GB of zeros."""

    def make(seeds: Seeds) -> File:
        found = unzipped((seeds.folder / "checkpoints" / "plain.pth").read_bytes())
        place = next(number for number, (name, _) in enumerate(found) if name.endswith(entry))
        name, _ = found.pop(place)
        return File("bomb.pth", zip_of_zeros(name, 15 * 10**8, found))

    return make


def _over_disks(seeds: Seeds) -> File:
    """Make a zip in the form for files of more than 4 GB, which says that it is one of three."""
    content = (seeds.folder / "checkpoints" / "plain.pth").read_bytes()
    end = content.rfind(b"PK\x05\x06")
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 1, 1)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 3)
    return File("disks.pth", content[:end] + record + locator + content[end:])


BREAKERS: Mapping[str, Breaker] = {
    "script .pt": program("write a file as soon as it was opened", _script(".pt")),
    "script .PT": program("write a file as soon as it was opened", _script(".PT")),
    "script .pth": program("write a file as soon as it was opened", _script(".pth")),
    "script .ckpt": program("write a file as soon as it was opened", _script(".ckpt")),
    "pipe .pth": program("hang", pipe(".pth")),
    "pipe .pt": program("hang", pipe(".pt")),
    "pipe .safetensors": program("hang", pipe(".safetensors")),
    "tar with a pipe in it": program("hang", _tar(".pth")),
    "tar with a pipe in it .pt": program("hang", _tar(".pt")),
    "bomb of a pickle": checkpoint("take gigabytes and more than 10 s", _bomb("data.pkl")),
    "bomb of a storage": checkpoint("run on after 10 s", _bomb("/data/0")),
    "zip over several disks": checkpoint("end in a BadZipFile of zipfile", _over_disks),
}
