"""Seeds and servers, made once a session."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from ..artifacts import Artifacts
from .campaign import Server
from .files import Seeds
from .seeds import read_seeds, write_seeds


@pytest.fixture(scope="session")
def seeds(artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    """Sound files of every format."""
    folder = tmp_path_factory.mktemp("fuzz") / "seeds"
    write_seeds(folder, artifacts)
    return read_seeds(folder)


@pytest.fixture(scope="session")
def servers(seeds: Seeds, tmp_path_factory: pytest.TempPathFactory) -> Generator[Sequence[Server]]:
    """Two processes that try files in children with limits."""
    if sys.platform != "linux":
        pytest.skip("needs fork, limits of memory and /proc, which only Linux has")
    servers = [Server(seeds.folder, Path(tmp_path_factory.mktemp("tried"))) for _ in range(2)]
    yield servers
    for server in servers:
        server.close()
