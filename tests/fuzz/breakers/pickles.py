"""Checkpoints whose pickle announced gigabytes, or ended in an error of somebody else's."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import torch

from spandrel_aethernet import AetherNet

from ..files import File, Seeds
from ..mutators.structures import loaded
from ..pickling import Call, Global, Persistent, Raw, archive, pickled, stored, tensor
from .breaker import Breaker, Make, checkpoint, fixed

_BIAS = "conv_first.bias"
_FIRST = tensor(8, (8,), (1,))


def _changed(key: str, value: Any) -> Make:
    """Return what makes a seed's state_dict with another value in its pickle."""

    def make(seeds: Seeds) -> File:
        values, storages = stored(loaded(seeds.folder / "checkpoints" / "plain.pth"))
        return File("odd.pth", archive(pickled({**values, key: value}), storages))

    return make


def _expanded(count: int) -> Any:
    """Return one number that says it is many."""
    return tensor(1, (count,), (0,))


def _pickle(opcodes: bytes) -> Make:
    return fixed(File("odd.pth", archive(pickled({_BIAS: Raw(opcodes)}), {"0": bytes(16)})))


def _with_metadata(metadata: object) -> Call:
    return Call(_FIRST.function, (*_FIRST.arguments, metadata))


def _network(_seeds: Seeds) -> File:
    """Make a whole checkpoint of layers 80 GB large, whose tensors are all one number, expanded."""
    with torch.device("meta"):
        shapes = {
            key: one.shape for key, one in AetherNet(embed_dim=100_000, depths=(1,)).state_dict().items()
        }
    values = {key: tensor(1, tuple(shape), (0,) * len(shape)) for key, shape in shapes.items()}
    return File("large.pth", archive(pickled(values), {"0": bytes(4)}))


def _legacy(_seeds: Seeds) -> File:
    """Make a file as PyTorch wrote it before 1.6, with a storage far larger than itself."""
    storage = Persistent(("storage", Global("torch", "FloatStorage"), "0", "cpu", 2**40, None))
    values = {_BIAS: Call(_FIRST.function, (storage, *_FIRST.arguments[1:]))}
    sizes = {"short": 2, "int": 4, "long": 4}
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}
    parts = (0x1950A86A20F9469CFC6C, 1001, machine, values, ["0"])
    return File("old.pth", b"".join(map(pickled, parts)) + (2**40).to_bytes(8, "little") + bytes(32))


BREAKERS: Mapping[str, Breaker] = {
    "network of 80 GB from one number": checkpoint("take all memory", _network),
    "storage of the older format that announces 4 TB": checkpoint("take all memory", _legacy),
    "trained range expanded to 80 GB": checkpoint(
        "take all memory (bad_alloc)",
        _changed("trained_ranges.weight_scales.conv_first", _expanded(20 * 10**9)),
    ),
    "trained range expanded to 2 GB": checkpoint(
        "take all memory (bad_alloc)",
        _changed("trained_ranges.weight_scales.conv_first", _expanded(5 * 10**8)),
    ),
    "bytes that announce 1 TB": checkpoint(
        "end in a MemoryError", _pickle(b"\x8e" + struct.pack("<Q", 2**40))
    ),
    "memo that announces 2 billion entries": checkpoint(
        "end in a MemoryError", _pickle(b"Nr\xff\xff\xff\x7f")
    ),
    "memo that announces 64 million entries": checkpoint(
        "take more than a gigabyte", _pickle(b"Nr\xff\xff\xff\x03")
    ),
    "storage that is no tuple": checkpoint(
        "end in an AssertionError of torch", _changed(_BIAS, Persistent(None))
    ),
    "storage that is a dictionary": checkpoint(
        "end in an AssertionError of torch", _changed(_BIAS, Persistent({}))
    ),
    "storage of another kind": checkpoint(
        "end in an AssertionError of torch", _changed(_BIAS, Persistent(("a", "b")))
    ),
    "tensor with a text for metadata": checkpoint(
        "end in an AssertionError of torch", _changed(_BIAS, _with_metadata("x"))
    ),
    "tensor with a number for metadata": checkpoint(
        "end in an AssertionError of torch", _changed(_BIAS, _with_metadata(5))
    ),
}
