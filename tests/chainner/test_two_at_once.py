"""Two graphs at once: in one backend, and in two that write to the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from spandrel_aethernet.engines.sidecar import read_sidecar

from ..artifacts import Artifacts
from .backend import Backend
from .demo import load
from .graphs import Graph, Node


def building(backend: Backend, checkpoint: Path, folder: Path) -> tuple[Graph, Node]:
    """Return a graph that builds one engine from a checkpoint, and its node."""
    graph = backend.graph()
    model = load(graph, checkpoint).out("Model")
    build = graph.add("aethernet:build_engine", {"Model": model, "Directory": folder, "Engine Name": "same"})
    return graph, build


def test_a_second_run_is_refused_and_the_first_goes_on(
    backend: Backend, artifacts: Artifacts, tmp_path: Path
) -> None:
    graph, build = building(backend, artifacts.tiny, tmp_path)
    start = len(backend.events())
    running = backend.run_in_background(graph)
    backend.wait_for("node-start", build.id, start=start)
    with pytest.raises(RuntimeError, match="while the first one is still running"):
        backend.run(building(backend, artifacts.tiny, tmp_path)[0])
    running.result()

    assert read_sidecar(tmp_path / "same.engine") is not None


def test_two_backends_that_build_one_engine_leave_one_whole(
    backend: Backend, artifacts: Artifacts, tmp_path: Path, chainner_src: Path, chainner_python: str
) -> None:
    target = tmp_path / "engines"
    with Backend(chainner_src, tmp_path / "second", python=chainner_python) as second:
        running = [
            one.run_in_background(building(one, artifacts.tiny, target)[0]) for one in (backend, second)
        ]
        for run in running:
            run.result()

    assert sorted(path.name for path in target.iterdir()) == ["same.engine", "same.engine.json"]
    assert read_sidecar(target / "same.engine") is not None
