"""Engines, their descriptions, and images that did not end in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from ..files import CONTROLS, File, Seeds
from ..mutators.pictures import large_png
from .breaker import Breaker, Make, fixed, pipe

_ENGINE = {"info": "1", "load_engine": "EngineError"}
_IMAGE = {"upscale": "1", "read_picture": "ImageError"}
_SAYS = {"info": "", "info --json": "", "load_engine": ""}


def _sidecar(change: Callable[[str], str]) -> Make:
    """Return what makes an engine whose description is another text."""

    def make(seeds: Seeds) -> File:
        file = next(one for one in seeds.engines if one.name == "classic.plan")
        (name, content), *_ = file.beside.items()
        return replace(file, beside={name: change(content.decode()).encode("utf-8", "surrogatepass")})

    return make


def _with(**values: object) -> Make:
    return _sidecar(lambda text: json.dumps({**json.loads(text), **values}))


BREAKERS: Mapping[str, Breaker] = {
    "pipe .engine": Breaker("hang", pipe(".engine"), _ENGINE),
    "deep description": Breaker(
        "end in a RecursionError of json", _sidecar(lambda _: "[" * 200_000), _ENGINE
    ),
    "deep dictionary as description": Breaker(
        "end in a RecursionError of json", _sidecar(lambda _: '{"a":' * 200_000), _ENGINE
    ),
    "description built in a number that no float is": Breaker(
        "end in an OverflowError of math", _with(build_seconds=10**400), _ENGINE
    ),
    "description with terminal codes": Breaker(
        "act on the terminal",
        _with(source=CONTROLS, input_name=CONTROLS, version=CONTROLS, fell_back=[CONTROLS]),
        _SAYS,
    ),
    "engine file name with terminal codes": Breaker(
        "act on the terminal", fixed(File(f"m{CONTROLS}.engine", b"no engine")), _ENGINE
    ),
    "description with names for counts": Breaker(
        "act on the terminal", _with(operators={CONTROLS: 10**30}), _SAYS
    ),
    "pipe .png": Breaker("hang", pipe(".png"), _IMAGE),
    "pipe .tif": Breaker("hang", pipe(".tif"), _IMAGE),
    "image of 2.5 billion bytes": Breaker(
        "take 2.5 GB and more than 10 s", lambda _: File("large.png", large_png(50_000, 8)), _IMAGE
    ),
    "image file name with terminal codes": Breaker(
        "act on the terminal", fixed(File(f"photo{CONTROLS}.png", b"no image")), _IMAGE
    ),
}
