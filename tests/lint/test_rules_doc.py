"""The page about the rules."""

from __future__ import annotations

from pathlib import Path

from spandrel_aethernet.lint.linter import RULES
from spandrel_aethernet.lint.rules_doc import COMMAND, page
from spandrel_aethernet.lint.rules_file import LAST_RULE

PAGE = Path(__file__).parents[2] / "docs" / "lint-rules.md"


def test_page_is_what_the_rules_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"docs/lint-rules.md is stale: run {COMMAND}"


def test_page_has_every_rule() -> None:
    titles = [line for line in page().splitlines() if line.startswith("### ")]
    assert sorted(titles) == sorted(f"### {rule.id} ({rule.severity})" for rule in (*RULES, LAST_RULE))
