"""A server and what commands read, made once a session."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from .commands import write_sources
from .server import Server


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands read."""
    folder = tmp_path_factory.mktemp("kills") / "sources"
    write_sources(folder)
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A process that forks commands."""
    if sys.platform != "linux":
        pytest.skip("needs fork and /proc, which only Linux has")
    server = Server(tmp_path_factory.mktemp("forked"))
    yield server
    server.close()
