"""The example graphs, opened by chaiNNer's own code and run by its backend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from spandrel_aethernet.data import original

from ..artifacts import Artifacts
from .backend import REPOSITORY, Backend
from .frontend import Frontend

EXAMPLES = sorted((REPOSITORY / "chainner_nodes" / "examples").glob("*.chn"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_example_opens_and_runs(
    backend: Backend, frontend: Frontend, artifacts: Artifacts, tmp_path: Path, file: Path
) -> None:
    photographs, results = tmp_path / "photographs", tmp_path / "results"
    photographs.mkdir()
    Image.open(original("chelsea")).crop((0, 0, 96, 96)).save(photographs / "one.png")
    paths = {
        "chainner:image:load": {"Image File": photographs / "one.png"},
        "chainner:pytorch:load_model": {"Model": artifacts.tiny},
        "chainner:image:save": {"Directory": results},
        "aethernet:save_release": {"Directory": results, "Comparison Images": photographs},
    }
    saved = {node["data"]["schemaId"] for node in json.loads(file.read_text("utf-8"))["content"]["nodes"]}
    chosen = {schema_id: values for schema_id, values in paths.items() if schema_id in saved}

    graph = frontend.open(backend.description, file, chosen)
    assert (graph.tampered, graph.unknown, graph.deprecated, graph.invalid) == (False, [], [], [])
    assert set(graph.unconnected) <= {"chainner:utility:note"}

    events = backend.run(graph.nodes)
    finished = {event.node for event in events if event.name == "node-finish"}
    assert finished == {node["id"] for node in graph.nodes}
    assert list(results.iterdir())
