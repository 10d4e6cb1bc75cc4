"""What a rule is, and what it finds: plain data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from ..onnx_model.graph import OnnxGraph

Severity = Literal["error", "warning"]
"""`error`: TensorRT for RTX refuses to parse or build the file, or ONNX's own checker refuses it.
`warning`: both accept it, and it loses INT8, speed or accuracy."""

TRIED_WITH = "TensorRT for RTX 1.7"
"""Whose parser and builder were given a graph that breaks each rule."""


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
    """Returns every place that breaks the rule; `demand` and `effect` are its docstring."""
    remedy: str
    """What to do about it, said to whoever exports the file."""

    @property
    def demand(self) -> str:
        """What must hold: the first paragraph of the check's docstring."""
        return self._paragraphs[0]

    @property
    def effect(self) -> str:
        """What TensorRT and others do with a file that breaks the rule: the rest of that docstring."""
        return " ".join(self._paragraphs[1:])

    @property
    def _paragraphs(self) -> list[str]:
        return [" ".join(part.split()) for part in (inspect.getdoc(self.check) or "").split("\n\n")]


@dataclass(frozen=True)
class Finding:
    """One place in a file that breaks a rule."""

    rule: str
    severity: Severity
    node: str
    """Name of the node; one that has no name in the file is named by its type and first output."""
    message: str
    remedy: str
