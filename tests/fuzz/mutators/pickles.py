"""Checkpoints whose pickle says other things than a state_dict: opcodes, names, sizes, depth, loops."""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Mapping, Sequence
from random import Random

from torch import Tensor

from ..files import File, Mutator, Seeds, odd_integer, odd_text
from ..pickling import Call, Global, Persistent, Raw, archive, code, pickled, stored, tensor, unzipped, zipped
from .archives import zips
from .structures import loaded

_SUFFIXES = (".pth", ".pth", ".pt", ".ckpt")
_GLOBALS = (
    ("os", "system"),
    ("builtins", "eval"),
    ("builtins", "open"),
    ("torch", "from_file"),
    ("torch", "load"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._utils", "_rebuild_qtensor"),
    ("torch._utils", "_rebuild_sparse_tensor"),
    ("torch", "BFloat16Storage"),
    ("torch", "ComplexFloatStorage"),
    ("torch", "LongStorage"),
    ("torch", "Tensor"),
    ("collections", "OrderedDict"),
    ("typing", "OrderedDict"),
    ("no_such_module", "name\x1b[2J"),
)


def seed_of(random: Random, seeds: Seeds) -> dict[str, Tensor]:
    """Return the state_dict of one of the sound zip files without a wrapper."""
    return loaded(seeds.folder / "checkpoints" / random.choice(("plain.pth", "fused.pth", "tiny.pth")))


def _odd_shape(random: Random, shape: Sequence[int]) -> tuple[object, ...]:
    changed: list[object] = [*shape]
    for _ in range(random.choice((1, 1, 2, 4))):
        place = random.randrange(len(changed) + 1)
        odd = random.choice((odd_integer(random), odd_integer(random), -1, 1.5, None, "9" * 4400, True))
        if place < len(changed) and random.random() < 0.7:
            changed[place] = odd
        else:
            changed.insert(place, odd)
    return tuple(changed)


def tensors(random: Random, seeds: Seeds) -> File:
    """Tensors that announce other sizes, strides and offsets than their storages have."""
    state_dict = seed_of(random, seeds)
    values, storages = stored(state_dict)
    for key in random.sample(sorted(map(str, values)), random.choice((1, 1, 3))):
        made, steps, numel = tuple(state_dict[key].shape), state_dict[key].stride(), state_dict[key].numel()
        kind = random.randrange(6)
        if kind == 0:  # one element, expanded
            large = tuple(random.choice((side, 20_000, 2**20, 141_422)) for side in made)
            values[key] = tensor(1, large, (0,) * len(made), key="0")
        elif kind == 1:
            values[key] = tensor(odd_integer(random), made, steps)
        elif kind == 2:
            values[key] = tensor(numel, _odd_shape(random, made), steps)
        elif kind == 3:
            values[key] = tensor(numel, made, _odd_shape(random, steps))
        elif kind == 4:
            values[key] = tensor(numel, made, steps, offset=odd_integer(random))
        else:
            names = ("FloatStorage", "HalfStorage", "LongStorage", "ByteStorage", "QInt8Storage")
            places = ("cpu", "cuda:99", "meta", "lazy", odd_text(random), 5, None)
            identity = random.choice(("0", "99", odd_text(random), 7, ("0",)))
            kept, place = random.choice(names), random.choice(places)
            values[key] = tensor(numel, made, steps, key=identity, kind=kept, place=place)
    return _written(random, pickled(values), storages)


def keys(random: Random, seeds: Seeds) -> File:
    """Keys that are odd texts, numbers, tuples or None."""
    values, storages = stored(seed_of(random, seeds))
    for _ in range(random.choice((1, 3))):
        odd = random.choice((odd_text(random), odd_text(random), odd_integer(random), None, (1, "a"), 1.5))
        chosen = random.choice(sorted(map(str, values)))
        value = values.get(chosen)
        if random.random() < 0.5:
            values.pop(chosen, None)
        values[odd] = value
    return _written(random, pickled(values), storages)


def programs(random: Random, seeds: Seeds) -> File:
    """Pickles that nest, loop, call or announce instead of holding a state_dict."""
    values, storages = stored(seed_of(random, seeds))
    deep = random.choice((100, 1000, 50_000, 200_000))
    module, name = random.choice(_GLOBALS)
    called = Call(Global(module, name), random.choice(((), ("true",), ("canary",), (2**31,), (values,))))
    odd: tuple[object, ...] = (
        Raw(b"(" * deep + b"t" * deep),
        Raw(b"]" + b"(" * deep + b"l" * deep),
        Raw(b"]q\x00h\x00a"),  # a list in itself
        Raw(b"}q\x00(X\x01\x00\x00\x00ah\x00u"),  # a dictionary in itself
        Raw(b"X\xff\xff\xff\x7f"),  # a text of 2 GB
        Raw(b"\x8e" + struct.pack("<Q", 2**40) + b"a"),  # bytes of 1 TB
        Raw(b"\x8b\xff\xff\xff\x7f"),  # an integer of 2 GB
        Raw(b"\x8b" + struct.pack("<i", 100_000) + b"\x7f" * 100_000),
        Raw(b"I" + b"9" * 100_000 + b"\n"),
        Raw(b"N0" * deep + b"N"),
        Raw(b"Nr\xff\xff\xff\x7f"),  # the memo's entry 2**31
        Raw(b"Nr\xff\xff\xff\x03"),
        Raw(b"(lq\x00" + b"h\x00h\x00\x86q\x00" * 60),  # a pair of pairs of pairs
        called,
        Call(called, ()),
        Persistent(random.choice((values, "storage", ("storage",), (1, 2, 3, 4, 5), None))),
        [values],
        (values, values),
        odd_text(random),
    )
    chosen = random.choice(odd)
    wrapped: object = random.choice(
        (
            chosen,
            {"state_dict": chosen},
            {"params_ema": values, "extra": chosen},
            {**values, "norm.bias": chosen},
        )
    )
    return _written(random, pickled(wrapped), storages)


def opcodes(random: Random, seeds: Seeds) -> File:
    """The sound pickle with some opcodes left out, doubled, exchanged or given other arguments."""
    file = random.choice(zips(seeds))
    found = unzipped(file.content)
    place = next(number for number, (name, _) in enumerate(found) if name.endswith("data.pkl"))
    name, content = found[place]
    starts = [position or 0 for _, _, position in pickletools.genops(content)]
    parts = [content[a:b] for a, b in zip(starts, [*starts[1:], len(content)], strict=True)]
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randrange(len(parts))
        kind = random.randrange(5)
        if kind == 0:
            del parts[at]
        elif kind == 1:
            parts.insert(at, parts[random.randrange(len(parts))])
        elif kind == 2:
            parts[at] = parts[random.randrange(len(parts))]
        elif kind == 3:
            parts[at] = code(random.choice((odd_integer(random), odd_text(random)[:1000], None, (), {})))
        else:
            parts[at] = random.choice(pickletools.opcodes).code.encode("latin-1") + parts[at][1:]
    found[place] = (name, b"".join(parts))
    return file.holding(zipped(found))


def globals_changed(random: Random, seeds: Seeds) -> File:
    """A name in the pickle replaced by another."""
    file = random.choice(seeds.checkpoints)
    module, name = random.choice(_GLOBALS)
    new = f"c{module}\n{name}\n".encode()
    olds = (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n", b"ctorch\nFloatStorage\n")
    old = random.choice(olds)
    if not file.content.startswith(b"PK"):
        return file.holding(file.content.replace(old, new, random.choice((1, -1))))
    found = [(key, content.replace(old, new)) for key, content in unzipped(file.content)]
    return file.holding(zipped(found))


def _written(random: Random, content: bytes, storages: Mapping[str, bytes]) -> File:
    name = f"odd{random.choice(_SUFFIXES)}"
    if random.random() < 0.1:
        return File(name, content)  # a bare pickle
    return File(name, archive(content, storages))


MUTATORS: tuple[tuple[float, Mutator], ...] = (
    (3, tensors),
    (2, keys),
    (3, programs),
    (3, opcodes),
    (1, globals_changed),
)
