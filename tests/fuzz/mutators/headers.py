"""safetensors files whose JSON header lies."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from ..files import File, Mutator, Seeds, odd_integer, odd_text

_DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I8", "U8", "BOOL", "F8_E4M3", "C64", "F4", "X", "", 5, None)
_RANGES = ("activations", "weight_scales", "calibrated_inputs")


def _seed(random: Random, seeds: Seeds) -> tuple[File, dict[str, Any], bytes]:
    file = random.choice([one for one in seeds.checkpoints if one.name.endswith(".safetensors")])
    length = int.from_bytes(file.content[:8], "little")
    return file, json.loads(file.content[8 : 8 + length]), file.content[8 + length :]


def framed(header: str | bytes, data: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a safetensors file; `length` is what it says of its header, the truth by default."""
    text = header.encode("utf-8", "surrogatepass") if isinstance(header, str) else header
    told = len(text) if length is None else length
    return (told % 2**64).to_bytes(8, "little") + text + data


def fields(random: Random, seeds: Seeds) -> File:
    """Dtypes, shapes and places of tensors changed."""
    file, header, data = _seed(random, seeds)
    for key in random.sample(sorted(set(header) - {"__metadata__"}), random.choice((1, 1, 3))):
        entry = header[key]
        kind = random.randrange(6)
        if kind == 0:
            entry["dtype"] = random.choice(_DTYPES)
        elif kind == 1:
            shape: list[Any] = entry["shape"] or [1]
            shape[random.randrange(len(shape))] = random.choice((odd_integer(random), 1.5, "3", None))
            entry["shape"] = shape
        elif kind == 2:
            shapes: tuple[Any, ...] = ([], [0], [-1], [1] * 5000, {}, entry["shape"][::-1], [2**32] * 2)
            entry["shape"] = random.choice(shapes)
        elif kind == 3:
            start, end = entry["data_offsets"]
            odd = odd_integer(random)
            entry["data_offsets"] = random.choice(([start, odd], [odd, end], [end, start], [0, 0], [0], None))
        elif kind == 4:
            header[key] = random.choice(([], None, {}, "F32", {**entry, "more": 1}))
        else:
            other = header[random.choice(sorted(set(header) - {"__metadata__"}))]
            if isinstance(other, dict):
                entry["data_offsets"] = other.get("data_offsets")
    return file.holding(framed(json.dumps(header), data))


def names(random: Random, seeds: Seeds) -> File:
    """Tensors under odd names, one name twice, and metadata of any kind."""
    file, header, data = _seed(random, seeds)
    key = random.choice(sorted(set(header) - {"__metadata__"}))
    kind = random.randrange(4)
    if kind == 0:
        header[odd_text(random)] = header.pop(key)
    elif kind == 1:
        text = json.dumps(header)
        return file.holding(framed(f"{text[:-1]}, {json.dumps(key)}: {json.dumps(header[key])}}}", data))
    elif kind == 2:
        odd: tuple[Any, ...] = ({odd_text(random): odd_text(random)}, [], "x", {"a": 1}, {"a": {"b": {}}})
        header["__metadata__"] = random.choice(odd)
    else:
        ranges = f"trained_ranges.{random.choice(_RANGES)}.{odd_text(random)}"
        header[ranges] = header[key]
    return file.holding(framed(json.dumps(header), data))


def frames(random: Random, seeds: Seeds) -> File:
    """The length of the header, its depth, its encoding, and what follows it."""
    file, header, data = _seed(random, seeds)
    text, deep = json.dumps(header), random.choice((200, 5000, 300_000))
    told = random.choice((None, odd_integer(random), len(text) - 1, len(text) + 1, 2**27))
    changed: tuple[str | bytes, ...] = (
        text,
        "[" * deep,
        '{"a":' * deep + "1" + "}" * deep,
        text + " " * 1000,
        " " + text,
        text[:-1],
        "{}",
        "null",
        text.replace("0", "9" * 5000, 1),
        text.encode("utf-16"),
        b"\xff\xfe" + text.encode(),
        text.replace('"F32"', '"\\ud800"', 1),
        '{"__metadata__":{}}',
    )
    tail = random.choice((data, data, b"", data + b"\0" * 100, data[:-1]))
    return file.holding(framed(random.choice(changed), tail, length=told if random.random() < 0.5 else None))


MUTATORS: tuple[tuple[float, Mutator], ...] = ((3, fields), (2, names), (2, frames))
