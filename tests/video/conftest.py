"""Clips that a session makes once; tests read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("av")

from .clips import Clip, make_clip

MakeClip = Callable[..., Path]


@pytest.fixture(scope="session")
def clip_of(tmp_path_factory: pytest.TempPathFactory) -> MakeClip:
    """Make a clip with the given properties as a file of the given suffix, or return the one made before."""
    made: dict[tuple[str, str], Path] = {}

    def make(suffix: str = ".mkv", **properties: object) -> Path:
        key = suffix, repr(sorted(properties.items()))
        if key not in made:
            path = tmp_path_factory.mktemp("clip") / f"clip{suffix}"
            made[key] = make_clip(path, Clip(**properties))  # pyright: ignore[reportArgumentType]
        return made[key]

    return make
