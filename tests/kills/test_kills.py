"""Whatever a command is killed in, what it writes is whole or as before, and nothing is left."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from .campaign import SIGNALS, Range
from .commands import COMMANDS, Command
from .server import Server

FAST = ("engine (ONNX)",)
SECONDS = 25.0
"""For each command behind the slow marker: as many kills as fit."""

pytest.importorskip("tensorrt_rtx")


@pytest.mark.parametrize(
    "command",
    [command for command in COMMANDS if command.name in FAST],
    ids=lambda command: command.name,
)
def test_killed_a_few_times(command: Command, server: Server, sources: Path, tmp_path: Path) -> None:
    place = Range(server, command, sources, tmp_path / "killed", runs=1)
    for sent in SIGNALS:
        row = place.kill(sent, 1, random.Random(sent.name))  # noqa: S311
        assert row.stories == []


@pytest.mark.release
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_killed_often(command: Command, server: Server, sources: Path, tmp_path: Path) -> None:
    place = Range(server, command, sources, tmp_path / "killed")
    seed, ends = 0, time.monotonic() + SECONDS
    while not seed or time.monotonic() < ends:
        for sent in SIGNALS:
            row = place.kill(sent, 1, random.Random(seed))  # noqa: S311
            assert row.stories == []
        seed += 1
