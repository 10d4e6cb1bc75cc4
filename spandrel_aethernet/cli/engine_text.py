"""Engines, built and planned, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ..engines.build_plan import Plan
from ..engines.runtime import TITLES
from ..engines.sidecar import EngineInfo
from ..shapes import shape_text


def rows(info: EngineInfo) -> dict[str, str]:
    """Return what a person wants to know of an engine, a line each."""
    shapes = [shape_text(shape, "x") for shape in info.profile.shapes(info.channels)]
    found = {
        "runtime": f"{TITLES[info.runtime]} {info.version}",
        "targets": words(info.targets),
        "precision": str(info.precision),
        "operators": f"{counted(info.operators)} in the ONNX file",
        "shapes": f"{info.input_name} {words(shapes)}",
    }
    if info.layers:
        found["layers"] = f"{counted(info.layers)} in the engine"
    if info.fell_back:
        found["in float"] = f"{len(info.fell_back)} INT8 operators, {', '.join(_in_short(info.fell_back))}"
    return found


def _in_short(names: tuple[str, ...]) -> list[str]:
    """Name few operators."""
    return [*names[:3], "…"] if len(names) > 4 else list(names)


def words(value: object) -> str:
    """Write a list with spaces, and what is None as unknown."""
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, cast(Sequence[object], value))) or "none"
    return "unknown" if value is None else str(value)


def counted(counts: Mapping[str, int]) -> str:
    """Write `4 fp16, 49 int8`."""
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "none"


def planned(source: Path, target: Path, plan: Plan) -> dict[str, Any]:
    """Return what would be built as one JSON-ready document."""
    profile, channels = plan.profile, plan.source.channels
    return {
        "file": str(target),
        "source": source.name,
        "runtime": plan.runtime.title if plan.runtime else None,
        "targets": plan.targets,
        "precision": str(plan.source.precision),
        "operators": dict(plan.source.counts),
        "channels": channels,
        "scale": plan.source.scale,
        "shapes": [shape_text(shape, "x") for shape in profile.shapes(channels)] if profile else [],
    }
