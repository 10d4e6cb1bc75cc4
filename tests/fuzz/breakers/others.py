"""Engines, their descriptions, and images that did not end in one sentence."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace

from ..files import CONTROLS, File, Seeds
from ..mutators.pictures import chunks_of, exif_block, large_png, png
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


def _announcing(width: int, height: int) -> Make:
    def make(seeds: Seeds) -> File:
        file = next(one for one in seeds.images if one.name == "rgb.png")
        (_, header), *rest = chunks_of(file.content)
        return file.holding(png([(b"IHDR", struct.pack(">II", width, height) + header[8:]), *rest]))

    return make


def _exif(seeds: Seeds) -> File:
    file = next(one for one in seeds.images if one.name == "rgb.png")
    header, *rest = chunks_of(file.content)
    title = (b"tEXt", b"Title\0" + CONTROLS.encode("utf-8", "replace"))
    return file.holding(png([header, (b"eXIf", exif_block(6, CONTROLS)), title, *rest]))


BREAKERS: Mapping[str, Breaker] = {
    "pipe .engine": Breaker("?", pipe(".engine"), _ENGINE),
    "deep description": Breaker("?", _sidecar(lambda _: "[" * 200_000), _ENGINE),
    "deep dictionary as description": Breaker("?", _sidecar(lambda _: '{"a":' * 200_000), _ENGINE),
    "description with a long source": Breaker("?", _with(source="a" * 100_000), _SAYS),
    "description with a long version": Breaker("?", _with(version="a" * 100_000), _SAYS),
    "description built in a number that no float is": Breaker("?", _with(build_seconds=10**400), _ENGINE),
    "description with terminal codes": Breaker(
        "?", _with(source=CONTROLS, input_name=CONTROLS, version=CONTROLS, fell_back=[CONTROLS]), _SAYS
    ),
    "engine file name with terminal codes": Breaker(
        "?", fixed(File(f"m{CONTROLS}.engine", b"no engine")), _ENGINE
    ),
    "description with names for counts": Breaker("?", _with(operators={CONTROLS: 10**30}), _SAYS),
    "pipe .png": Breaker("?", pipe(".png"), _IMAGE),
    "pipe .tif": Breaker("?", pipe(".tif"), _IMAGE),
    "image of 10 billion pixels": Breaker("?", lambda _: File("large.png", large_png(100_000, 1)), _IMAGE),
    "image of 2.5 billion bytes": Breaker("?", lambda _: File("large.png", large_png(50_000, 8)), _IMAGE),
    "image that announces 2**62 pixels": Breaker("?", _announcing(2**31 - 1, 2**31 - 1), _IMAGE),
    "image that announces 4 billion pixels": Breaker("?", _announcing(65_535, 65_535), _IMAGE),
    "image with terminal codes in its EXIF": Breaker("?", _exif, {"upscale": "0", "read_picture": ""}),
    "image file name with terminal codes": Breaker(
        "?", fixed(File(f"photo{CONTROLS}.png", b"no image")), _IMAGE
    ),
}
