"""Checkpoints whose pickle announced gigabytes, or ended in an error of somebody else's."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from ..files import File, Seeds
from ..mutators.structures import loaded
from ..pickling import Call, Global, Persistent, Raw, archive, code, pickled, stored, tensor
from .breaker import Breaker, Make, checkpoint, fixed

_BIAS = "conv_first.bias"
_SCALE = "layers.0.0.conv.lk_conv.weight_fake_quant.scale"
_FIRST = tensor(8, (8,), (1,))
_HOOKS = Call(Global("collections", "OrderedDict"), ())


def _changed(*entries: tuple[str, Any], name: str = "plain.pth") -> Make:
    """Return what makes a seed's state_dict with other entries in its pickle."""

    def make(seeds: Seeds) -> File:
        values, storages = stored(loaded(seeds.folder / "checkpoints" / name))
        return File("odd.pth", archive(pickled({**values, **dict(entries)}), storages))

    return make


def _expanded(count: int) -> Any:
    """Return one number that says it is many."""
    return tensor(1, (count,), (0,))


def _pickle(opcodes: bytes) -> Make:
    return fixed(File("odd.pth", archive(pickled({_BIAS: Raw(opcodes)}), {"0": bytes(16)})))


def _with_metadata(metadata: object) -> Call:
    return Call(_FIRST.function, (*_FIRST.arguments, metadata))


def _built(value: object, state: object) -> Raw:
    """Return an object that is then given a state."""
    return Raw(code(value) + code(state) + b"b")


BREAKERS: Mapping[str, Breaker] = {
    "one element expanded to 80 GB": checkpoint("?", _changed((_BIAS, _expanded(20 * 10**9)))),
    "one element expanded to 2 GB beside the rest": checkpoint(
        "?", _changed(("extra", _expanded(5 * 10**8)))
    ),
    "observer expanded to 80 GB": checkpoint("?", _changed((_SCALE, _expanded(20 * 10**9)), name="tiny.pth")),
    "trained range expanded to 2 GB": checkpoint(
        "?", _changed(("trained_ranges.weight_scales.conv_first", _expanded(5 * 10**8)))
    ),
    "storage that announces 4 TB": checkpoint("?", _changed((_BIAS, tensor(2**40, (8,), (1,))))),
    "storage that announces too little": checkpoint(
        "?", _changed(("conv_first.weight", tensor(1, (8, 3, 3, 3), (27, 9, 3, 1))))
    ),
    "text that announces 2 GB": checkpoint("?", _pickle(b"X\xff\xff\xff\x7f")),
    "bytes that announce 1 TB": checkpoint("?", _pickle(b"\x8e" + struct.pack("<Q", 2**40))),
    "memo that announces 2 billion entries": checkpoint("?", _pickle(b"Nr\xff\xff\xff\x7f")),
    "memo that announces 64 million entries": checkpoint("?", _pickle(b"Nr\xff\xff\xff\x03")),
    "pickle of a deep tuple": checkpoint("?", _pickle(b"(" * 200_000 + b"t" * 200_000)),
    "storage that is no tuple": checkpoint("?", _changed((_BIAS, Persistent(None)))),
    "storage that is a dictionary": checkpoint("?", _changed((_BIAS, Persistent({})))),
    "storage of one part": checkpoint("?", _changed((_BIAS, Persistent(("storage",))))),
    "storage of another kind": checkpoint("?", _changed((_BIAS, Persistent(("a", "b"))))),
    "tensor with a text for metadata": checkpoint("?", _changed((_BIAS, _with_metadata("x")))),
    "tensor with a number for metadata": checkpoint("?", _changed((_BIAS, _with_metadata(5)))),
    "tensor with a state": checkpoint("?", _changed((_BIAS, _built(_FIRST, "x")))),
    "OrderedDict with a text for a state": checkpoint("?", _changed((_BIAS, _built(_HOOKS, "x")))),
    "OrderedDict with a number for a state": checkpoint("?", _changed((_BIAS, _built(_HOOKS, 5)))),
}
