"""`aethernet lint`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from spandrel_aethernet.cli import main

from .graphs import convolution


def run_lint(*arguments: object) -> int:
    """Run the command as `aethernet lint` does."""
    return main(["lint", *map(str, arguments)])


@pytest.mark.parametrize(
    ("make", "code", "counts"),
    [
        (convolution, 0, (0, 0)),
        (lambda: convolution(zero=np.int8(3)), 1, (2, 0)),
        (lambda: convolution(zero=np.uint8(0)), 1, (0, 2)),
    ],
    ids=["clean", "errors", "warnings"],
)
def test_command_reports_as_text_and_json(
    make: Callable[[], ModelProto],
    code: int,
    counts: tuple[int, int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(make(), path)
    assert run_lint(path, "--json") == code
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (document["errors"], document["warnings"]) == counts
    assert document["clean"] is (code == 0)
    assert len(document["findings"]) == sum(counts)
    assert all(
        set(finding) == {"rule", "severity", "node", "message", "remedy"} for finding in document["findings"]
    )
    assert document["int8"]["ratio"] == document["int8"]["by_kind"]["Conv"]["ratio"] == 1
    assert run_lint(path) == code
    text = capsys.readouterr().out
    assert "100.0 % of the multiply-adds" in text
    assert text.rstrip().endswith("clean" if code == 0 else f"{counts[0]} errors, {counts[1]} warnings")
    for finding in document["findings"]:
        assert finding["remedy"] in text
        assert f"{finding['node']}: {finding['message']}" in text
