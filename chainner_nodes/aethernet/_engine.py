# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines on the edges of a graph: a file, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import navi
from api import BaseInput, BaseOutput

from spandrel_aethernet.engines.runtime import TITLES
from spandrel_aethernet.engines.sidecar import EngineInfo, check_trusted, read_sidecar

TYPE = "AetherNetEngine"
TYPE_DEFINITIONS = f"struct {TYPE} {{ scale: int(1..), channels: int(1..), precision: string }}"
"""For an input of every node with an engine at one of its ends: chaiNNer knows only its own types."""


@dataclass(frozen=True)
class EngineFile:
    """A TensorRT engine, of either TensorRT."""

    path: Path
    info: EngineInfo | None
    """What lies beside it; None if nothing does."""
    trusted: bool = False
    """Whether it may run without that."""

    @classmethod
    def at(cls, path: Path, *, trust: bool) -> EngineFile:
        """Read what lies beside an engine.

        Raises `EngineError` if that describes another one, or if nothing does and the user does not `trust`.
        """
        info = read_sidecar(path)
        check_trusted(path, info, trust=trust)
        return cls(path, info, trust)


class EngineInput(BaseInput[EngineFile]):
    """An engine from one of our nodes."""

    def __init__(self, label: str = "Engine") -> None:
        """Call it `label`."""
        super().__init__(TYPE, label)
        self.associated_type = EngineFile
        self.type_definitions = TYPE_DEFINITIONS

    def enforce(self, value: object) -> EngineFile:
        """Return the engine. Raises ValueError for anything else."""
        if not isinstance(value, EngineFile):
            raise ValueError(f"{self.label} is no AetherNet engine: connect Build or Load AetherNet Engine")
        return value


class EngineOutput(BaseOutput[EngineFile]):
    """An engine for one of our nodes."""

    def __init__(self, engine_type: navi.ExpressionJson = TYPE, label: str = "Engine") -> None:
        """Narrow its type to `engine_type`. An input of the node must have `TYPE_DEFINITIONS`."""
        super().__init__(engine_type, label, kind="tagged", associated_type=EngineFile)

    def get_broadcast_data(self, value: EngineFile) -> dict[str, list[str]]:
        """Return what the node shows below its output."""
        info = value.info
        if info is None:
            return {"tags": ["unknown"]}
        scale = [] if info.scale is None else [f"{info.scale}x"]
        tags = [*scale, str(info.precision), TITLES[info.runtime], *(f"SM {sm}" for sm in info.targets)]
        return {"tags": tags}

    def get_broadcast_type(self, value: EngineFile) -> navi.ExpressionJson:
        """Return the type of this very engine."""
        info = value.info
        if info is None:
            return navi.named(TYPE, {})
        scale: dict[str, navi.ExpressionJson] = {} if info.scale is None else {"scale": info.scale}
        return navi.named(
            TYPE, {**scale, "channels": info.channels, "precision": navi.literal(str(info.precision))}
        )
