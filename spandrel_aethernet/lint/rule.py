"""What a rule is, and what it finds: plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from ..onnx_model.graph import OnnxGraph

Severity = Literal["error", "warning"]
"""`error`: TensorRT for RTX refuses to parse or build the file, or ONNX's own checker refuses it.
`warning`: both take it, and it loses INT8, speed or accuracy."""


class Violation(NamedTuple):
    """One place that breaks a rule: the node's name, and what was found there."""

    node: str
    message: str


@dataclass(frozen=True)
class Rule:
    """One thing that must hold in a file."""

    id: str
    """Stable: scripts may rely on it."""
    severity: Severity
    check: Callable[[OnnxGraph], Iterable[Violation]]
    """Returns every place that breaks the rule; its docstring says what is demanded and what was seen."""
    remedy: str


@dataclass(frozen=True)
class Finding:
    """One place in a file that breaks a rule."""

    rule: str
    severity: Severity
    node: str
    """Name of the node, or of what it makes if the file gives it none."""
    message: str
    remedy: str
