"""Engines built, loaded and run by our nodes in chaiNNer's own backend."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spandrel_aethernet.cli import main
from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.engines.sidecar import read_sidecar

from .backend import Backend, NodeError
from .demo import assert_same, load, progress, save_image
from .events import broadcast_type


@pytest.mark.parametrize("source", ["model", "ONNX model"])
def test_an_engine_is_built_from(backend: Backend, tmp_path: Path, source: str) -> None:
    graph = backend.graph()
    given = load(graph).out("Model")
    if source == "ONNX model":
        given = graph.add(
            "aethernet:export_onnx", {"Model": given, "Precision": "fp16-int8", "Verify": False}
        ).out("ONNX Model")
    build = graph.add(
        "aethernet:build_engine",
        {
            "Model": given,
            "Directory": tmp_path / "engines",
            "Engine Name": "small/",
            "Runtime": "rtx",
            "For GPUs": "chosen",
            "GPUs": "RTX 3060, 8.9, ",
            "Sizes": "custom",
            "Largest Side": 512,
            "Largest Batch": 4,
        },
    )
    events = backend.run(graph)
    info = read_sidecar(tmp_path / "engines" / "small.engine")

    assert info is not None
    assert (info.precision, info.scale, info.targets) == ("fp16-int8", 2, ("8.6", "8.9"))
    assert (info.profile.height.maximum, info.profile.batch.maximum) == (512, 4)
    shown = broadcast_type(events, build.out("Engine"))
    assert isinstance(shown, dict)
    assert shown["fields"]["scale"] == 2
    assert progress(events, build)[-1] == 1


def test_a_build_can_be_stopped_and_leaves_nothing(backend: Backend, tmp_path: Path) -> None:
    graph = backend.graph()
    export = graph.add("aethernet:export_onnx", {"Model": load(graph).out("Model"), "Verify": False})
    build = graph.add(
        "aethernet:build_engine",
        {"Model": export.out("ONNX Model"), "Directory": tmp_path, "Engine Name": "stopped"},
    )
    start = len(backend.events())
    running = backend.run_in_background(graph)
    backend.wait_for("node-start", build.id, start=start)
    backend.kill()

    assert not any((event.name, event.node) == ("node-finish", build.id) for event in running.result())
    assert list(tmp_path.iterdir()) == []


def test_an_engine_is_loaded_and_needs_a_gpu_to_run(
    backend: Backend, tmp_path: Path, photograph: Path
) -> None:
    assert main(["engine", str(DEMO_MODEL), "-o", str(tmp_path / "e.engine"), "--runtime", "rtx"]) == 0
    graph = backend.graph()
    engine = graph.add("aethernet:load_engine", {"Engine File": tmp_path / "e.engine"})
    image = graph.add("chainner:image:load", {"Image File": photograph})
    upscaled = graph.add(
        "aethernet:upscale_image", {"Image": image.out("Image"), "Engine": engine.out("Engine")}
    )
    save_image(graph, upscaled, tmp_path / "chainner.png")
    if torch.cuda.is_available():
        backend.run(graph)
        ours = tmp_path / "ours.png"
        assert main(["upscale", str(photograph), "-o", str(ours), "-m", str(tmp_path / "e.engine")]) == 0
        assert_same(tmp_path / "chainner.png", ours)
        return
    with pytest.raises(NodeError, match=r"e\.engine needs an NVIDIA GPU and its driver") as caught:
        backend.run(graph)
    assert caught.value.node_id == upscaled.id
