"""Shapes and descriptions of the engines that tests build."""

from __future__ import annotations

from pathlib import Path

from spandrel_aethernet.engines.profile import Shapes
from spandrel_aethernet.engines.sidecar import EngineInfo, read_sidecar

SHAPES = Shapes("input:1x3x16x24", "input:1x3x32x48", "input:4x3x64x96")


def info_of(engine: Path) -> EngineInfo:
    info = read_sidecar(engine)
    assert info is not None
    return info
