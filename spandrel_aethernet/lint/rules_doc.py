"""The page about the linter's rules, written from the rules themselves.

python -m spandrel_aethernet.lint.rules_doc > docs/lint-rules.md
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence

from . import rules_file, rules_placement, rules_scales
from .rule import TRIED_WITH, Rule

COMMAND = "python -m spandrel_aethernet.lint.rules_doc > docs/lint-rules.md"

_WIDTH = 120
_INTRODUCTION = (
    "`aethernet lint FILE.onnx`, `lint_onnx` in Python, checks any ONNX file for what TensorRT's explicit "
    f"quantization demands of its Q/DQ nodes. Every rule was tried with {TRIED_WITH}.",
    "An `error`: TensorRT for RTX refuses to parse or build the file, or ONNX's own checker refuses it. A "
    "`warning`: both accept the file, and it loses INT8, speed or accuracy. The ids are stable.",
    f"This page is written by `{COMMAND}`.",
)
_PARTS: Sequence[tuple[str, Sequence[Rule]]] = (
    ("The file", (*rules_file.RULES, rules_file.LAST_RULE)),
    ("One Q/DQ node: types, scales, zero points", rules_scales.RULES),
    ("Where Q/DQ nodes stand", rules_placement.RULES),
)


def page() -> str:
    """Return the page as Markdown: every rule with its severity, demand, effect and remedy."""
    blocks = ["# Lint rules", *map(_wrapped, _INTRODUCTION)]
    for title, rules in _PARTS:
        blocks.append(f"## {title}")
        for rule in rules:
            blocks += [f"### {rule.id} ({rule.severity})", _wrapped(f"{rule.demand} {rule.effect}")]
            blocks.append(_wrapped(f"Remedy: {rule.remedy}."))
    return "\n\n".join(blocks) + "\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.stdout.write(page())
