"""Checkpoints that ran code, hung, took all memory, or ended in an error of somebody else's."""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from ..bombs import zip_of_zeros
from ..files import CONTROLS, File, Seeds
from ..mutators.archives import encrypted, over_several_disks, tarred
from ..mutators.headers import framed
from ..mutators.structures import loaded
from ..pickling import Persistent, Raw, archive, pickled, saved, stored, tensor, unzipped, zipped
from ..scripts import writing
from .breaker import Breaker, checkpoint, fixed

_DIGITS = "9" * 5000
_QAT = "layers.0.0.conv.lk_conv.weight_fake_quant."


def _named(seeds: Seeds, name: str) -> dict[str, Tensor]:
    return dict(loaded(seeds.folder / "checkpoints" / name))


def _script(suffix: str) -> Callable[[Seeds], File]:
    return lambda _: File(f"script{suffix}", writing())


def _pipe(suffix: str) -> Callable[[Seeds], File]:
    return fixed(File(f"pipe{suffix}", b"", pipe=True))


def _tar(kind: bytes) -> Callable[[Seeds], File]:
    members = [("storages", kind), ("tensors", tarfile.REGTYPE), ("pickle", tarfile.REGTYPE)]
    return fixed(File("old.pth", tarred(members, data=pickled(0))))


def _changed(
    *entries: tuple[str, Any], name: str = "plain.pth", suffix: str = ".pth"
) -> Callable[[Seeds], File]:
    """Return what makes a seed's state_dict with other entries in its pickle."""

    def make(seeds: Seeds) -> File:
        values, storages = stored(_named(seeds, name))
        for key, value in entries:
            values[key] = value
        return File(f"odd{suffix}", archive(pickled(values), storages))

    return make


def _expanded(shape: tuple[int, ...]) -> Any:
    return tensor(1, shape, (0,) * len(shape))


def _pickle(code: bytes, suffix: str = ".pth") -> Callable[[Seeds], File]:
    return fixed(File(f"odd{suffix}", archive(pickled({"conv_first.weight": Raw(code)}), {"0": bytes(16)})))


def _observed(**tensors: Tensor) -> Callable[[Seeds], File]:
    """Return what makes a QAT checkpoint with other tensors in one observer."""

    def make(seeds: Seeds) -> File:
        state_dict = _named(seeds, "tiny.pth")
        return File("odd.pth", saved(state_dict | {_QAT + key: value for key, value in tensors.items()}))

    return make


def _renamed(key: str, suffix: str) -> Callable[[Seeds], File]:
    def make(seeds: Seeds) -> File:
        state_dict = _named(seeds, "plain.pth")
        state_dict[key] = state_dict["conv_first.bias"].clone()
        content = safetensors.torch.save(state_dict) if suffix == ".safetensors" else saved(state_dict)
        return File(f"odd{suffix}", content)

    return make


def _seed(name: str, change: Callable[[bytes], bytes]) -> Callable[[Seeds], File]:
    def make(seeds: Seeds) -> File:
        return File(name, change((seeds.folder / "checkpoints" / "plain.pth").read_bytes()))

    return make


def _bomb(seeds: Seeds) -> File:
    found = unzipped((seeds.folder / "checkpoints" / "plain.pth").read_bytes())
    place = next(number for number, (name, _) in enumerate(found) if name.endswith("/data/0"))
    name, _ = found.pop(place)
    return File("bomb.pth", zip_of_zeros(name, 15 * 10**8, found))


def _doubled(content: bytes) -> bytes:
    found = unzipped(content)
    pickles = [(name, pickled({"other": 1})) for name, _ in found if name.endswith("data.pkl")]
    return zipped([*pickles, *found])


def _sixty_four(content: bytes) -> bytes:
    end = content.rfind(b"PK\x05\x06")
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 1, 1)
    return content[:end] + record + struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 3) + content[end:]


_WIDE = tensor(1, (8, 3, 3, 3), (27, 9, 3, 1), key="0")

BREAKERS: Mapping[str, Breaker] = {
    "script .pt": checkpoint(_script(".pt")),
    "script .PT": checkpoint(_script(".PT")),
    "script .pth": checkpoint(_script(".pth")),
    "script .ckpt": checkpoint(_script(".ckpt")),
    "pipe .pth": checkpoint(_pipe(".pth")),
    "pipe .pt": checkpoint(_pipe(".pt")),
    "pipe .safetensors": checkpoint(_pipe(".safetensors")),
    "tar with a pipe in it": checkpoint(_tar(tarfile.FIFOTYPE)),
    "tar with a link in it": checkpoint(_tar(tarfile.SYMTYPE)),
    "one element expanded to 80 GB": checkpoint(_changed(("conv_first.bias", _expanded((20_000_000_000,))))),
    "one element expanded to 2 GB beside the rest": checkpoint(
        _changed(("extra", _expanded((500_000_000,))))
    ),
    "observer expanded to 80 GB": checkpoint(
        _changed((_QAT + "scale", _expanded((20_000_000_000,))), name="tiny.pth")
    ),
    "trained range expanded to 2 GB": checkpoint(
        _changed(("trained_ranges.weight_scales.conv_first", _expanded((500_000_000,))))
    ),
    "storage that announces gigabytes": checkpoint(
        _changed(("conv_first.bias", tensor(2**40, (8,), (1,), key="0")))
    ),
    "storage that announces too little": checkpoint(_changed(("conv_first.weight", _WIDE))),
    "text that announces 2 GB": checkpoint(_pickle(b"X\xff\xff\xff\x7f")),
    "bytes that announce 1 TB": checkpoint(_pickle(b"\x8e" + struct.pack("<Q", 2**40))),
    "memo that announces 2 billion entries": checkpoint(_pickle(b"Nr\xff\xff\xff\x7f")),
    "memo that announces 64 million entries": checkpoint(_pickle(b"Nr\xff\xff\xff\x03")),
    "pickle of a deep tuple": checkpoint(_pickle(b"(" * 200_000 + b"t" * 200_000)),
    "pickle of a storage that is no tuple": checkpoint(_pickle(b"N" + b"Q")),
    "pickle of a storage of another kind": checkpoint(_pickle(pickled(("a", "b"))[2:-1] + b"Q")),
    "pickle that adds a state to a tensor": checkpoint(
        _changed(("conv_first.bias", Raw(pickled(tensor(8, (8,), (1,)))[2:-1] + pickled("x")[2:-1] + b"b")))
    ),
    "deflated zip bomb": checkpoint(_bomb),
    "zip over several disks": checkpoint(_seed("disks.pth", over_several_disks)),
    "large zip over several disks": checkpoint(_seed("disks.pth", _sixty_four)),
    "encrypted zip": checkpoint(_seed("encrypted.pth", encrypted)),
    "doubled names in a zip": checkpoint(_seed("doubled.pth", _doubled)),
    "keys of thousands of digits": checkpoint(_renamed(f"layers.{_DIGITS}.0.conv.fused_conv.weight", ".pth")),
    "blocks of thousands of digits": checkpoint(
        _renamed(f"layers.0.{_DIGITS}.conv.lk_conv.weight", ".safetensors")
    ),
    "upsamplers of thousands of digits": checkpoint(_renamed(f"upsample.{_DIGITS}.weight", ".safetensors")),
    "key of 100,000 characters": checkpoint(_renamed("a" * 100_000, ".safetensors")),
    "keys with terminal codes": checkpoint(_renamed(f"layers.0.0.{CONTROLS}", ".pth")),
    "safetensors with terminal codes": checkpoint(
        fixed(
            File(
                "odd.safetensors",
                framed('{"\\u001b[2J\\r":{"dtype":"F32","shape":[9],"data_offsets":[0,1]}}'),
            )
        )
    ),
    "deep safetensors": checkpoint(fixed(File("deep.safetensors", framed("[" * 300_000)))),
    "file name with terminal codes": checkpoint(fixed(File(f"model{CONTROLS}.pth", b"no model"))),
    "scale of three axes": checkpoint(_observed(scale=torch.ones(8, 1, 1))),
    "no scales": checkpoint(_observed(scale=torch.ones(0))),
    "too many zero points": checkpoint(_observed(zero_point=torch.zeros(5, dtype=torch.int64))),
    "zero points of two axes": checkpoint(_observed(zero_point=torch.zeros(8, 1, dtype=torch.int64))),
    "zero points out of range": checkpoint(_observed(zero_point=torch.full((8,), 300))),
    "zero points that are no numbers": checkpoint(_observed(zero_point=torch.full((8,), float("nan")))),
    "complex scales": checkpoint(_observed(scale=torch.ones(8, dtype=torch.complex64))),
    "storage that is no tensor": checkpoint(_changed(("conv_first.bias", Persistent(("storage",))))),
}
