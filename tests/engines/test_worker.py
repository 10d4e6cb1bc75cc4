"""The process that builds, from inside: how it starts, and what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from spandrel_aethernet.engines.process import plain

LISTS_MODULES = "import spandrel_aethernet.engines.worker, json, sys; print(json.dumps(list(sys.modules)))"
STARTS = (
    "import json, sys; from spandrel_aethernet.engines import worker; worker.main(json.loads(sys.argv[1]))"
)
JOB: dict[str, Any] = {
    "runtime": "rtx",
    "onnx": None,
    "engine": "never.engine",
    "input_name": "input",
    "shapes": None,
    "targets": [],
    "workspace": None,
    "optimization_level": None,
    "timing_cache": None,
    "inspect": False,
    "verbose": False,
}


def test_worker_loads_nothing_heavy() -> None:
    found = subprocess.run([sys.executable, "-c", LISTS_MODULES], capture_output=True, check=True)
    heavy = {"torch", "onnx", "numpy", "spandrel", "rich"}
    assert not heavy & set(json.loads(found.stdout))


@pytest.mark.parametrize("content", [b"", b"12 bytes too"])
def test_worker_ends_when_its_parent_is_gone(content: bytes) -> None:
    """Before the whole model has come, as from a parent that was killed meanwhile."""
    request: dict[str, Any] = {"job": JOB, "bytes": 100}
    command = [sys.executable, "-c", STARTS, json.dumps(request)]
    found = subprocess.run(command, input=content, capture_output=True, check=True)
    assert found.stdout == b""


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("(foreignNode) Error Code 9: the reason.", "the reason"),
        ("Skipping tactic 3 ([engine.cpp] out of memory)", "out of memory"),
        ("it failed. In build at /src/builder.cpp:12", "it failed"),
    ],
)
def test_what_only_developers_can_use_is_left_out(said: str, kept: str) -> None:
    assert plain(said) == kept
