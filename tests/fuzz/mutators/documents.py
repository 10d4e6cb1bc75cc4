"""JSON documents: descriptions of engines, and metadata of ONNX models."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any, cast

from ..files import File, Mutator, Seeds, odd_integer, odd_text

_KEYS = ("format", "scale", "channels", "profile", "targets", "source", "precision", "fell_back", "operators")


def damaged_text(random: Random, text: str) -> str:
    """Return a document with one of its values changed, or none any more."""
    return _values(random, text) if random.random() < 0.6 else _texts(random, text)


def _values(random: Random, text: str) -> str:
    document = json.loads(text)
    for _ in range(random.choice((1, 1, 2))):
        holder, key = _place(random, document)
        if isinstance(holder, dict) and random.random() < 0.2:
            holder[odd_text(random)] = holder.pop(key, None)
        elif holder is not None:
            holder[key] = odd_value(random)
    return json.dumps(document, ensure_ascii=random.random() < 0.5)


def _place(random: Random, document: Any) -> tuple[Any, Any]:
    """Return a list or dictionary somewhere in the document, and a key or index of it."""
    holder: Any = None
    key: Any = None
    inner = document
    while isinstance(inner, dict | list) and (holder is None or random.random() < 0.6):
        keys: list[Any] = (
            sorted(cast(Any, inner)) if isinstance(inner, dict) else [*range(len(cast(Any, inner)))]
        )
        if not keys:
            break
        holder, key = cast(Any, inner), random.choice(keys)
        inner = holder[key]
    return (document, random.choice(_KEYS)) if holder is None else (holder, key)


def odd_value(random: Random) -> Any:
    """Return what a document may hold where something else is expected."""
    number = odd_integer(random)
    values: tuple[Any, ...] = (
        None,
        True,
        number,
        float(number) if abs(number) < 2**63 else 1e308,
        float("nan"),
        float("inf"),
        -1e-320,
        10**4000,
        f"{number}:{number}:{number}",
        "1:2",
        "9" * 6000 + ":1:1",
        odd_text(random),
        [odd_text(random)] * 3,
        [],
        {},
        {odd_text(random): number},
        {"int8": True},
        [[[[]]]],
        "fp16-int8-x",
        "bf16",
    )
    return random.choice(values)


def _texts(random: Random, text: str) -> str:
    deep = random.choice((100, 900, 1100, 20_000, 400_000))
    texts = (
        "[" * deep,
        "[" * deep + "]" * deep,
        '{"a":' * deep + "1" + "}" * deep,
        text.replace("1", "9" * 5000, 1),
        text.replace("1", "1e999", 1),
        text.replace("1", "-Infinity", 1),
        text.replace(":", ": [[[[1]]],", 1),
        text[: random.randrange(len(text) + 1)],
        text + text,
        "\ufeff" + text,
        text.replace('"', "'"),
        text.replace(",", f', "{random.choice(_KEYS)}": null,', 1),
        text.replace('"', '"\\ud800', 2),
        text.replace('"', '"\\u0000', 2),
        "",
        "null",
        "5",
        "[]",
        '"text"',
        "9" * 100_000,
    )
    return random.choice(texts)


def descriptions(random: Random, seeds: Seeds) -> File:
    """An engine whose description beside it is damaged."""
    file = random.choice([one for one in seeds.engines if one.beside])
    (name, content), *_ = file.beside.items()
    text = damaged_text(random, content.decode())
    how = random.choice(("utf-8", "utf-8", "utf-8", "utf-8", "utf-16", "latin-1"))
    errors = "surrogatepass" if how != "latin-1" else "replace"
    return replace(file, beside={name: text.encode(how, errors)})


MUTATORS: tuple[tuple[float, Mutator], ...] = ((1, descriptions),)
