"""Two runs at once into one name: what is there afterwards is of one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .commands import COMMANDS, Command
from .server import Server

pytest.importorskip("tensorrt_rtx")

FAST = ("engine (ONNX)",)


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, id=command.name, marks=() if command.name in FAST else pytest.mark.release)
        for command in COMMANDS
    ],
)
def test_two_at_once(command: Command, force: bool, server: Server, sources: Path, tmp_path: Path) -> None:
    server.preload(command.modules)
    target = tmp_path / command.target
    call = [*command.arguments(sources, target), *(["--force"] if force else [])]
    both = server.run_together(call, call)
    for ended in both:
        assert ended.code in (0, 1), ended.said
        assert "Traceback" not in ended.said
        if ended.code and not command.by_file:
            assert ended.said.startswith("aethernet: ")
            assert ended.said.count("\n") == 1
    assert 0 in [ended.code for ended in both] or command.by_file
    for path in target.iterdir() if command.by_file else [target]:
        assert command.whole(path)
    assert {path.name for path in tmp_path.iterdir()} <= {command.target, f"{command.target}.json"}
