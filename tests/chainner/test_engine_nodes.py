"""Engines built, loaded and run by our nodes in chaiNNer's own backend."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spandrel_aethernet.engines.sidecar import read_sidecar

from ..artifacts import Artifacts
from .backend import Backend, NodeError
from .demo import assert_progress_grows_to_its_end, assert_upscaled, load, save_image
from .events import broadcast_type


@pytest.mark.parametrize("source", ["model", "ONNX model"])
def test_an_engine_is_built_from(backend: Backend, artifacts: Artifacts, tmp_path: Path, source: str) -> None:
    graph = backend.graph()
    given = load(graph, artifacts.tiny).out("Model")
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
    assert (str(info.precision), info.scale, info.targets) == ("fp16-int8", 2, ("8.6", "8.9"))
    assert (info.profile.height.max, info.profile.batch.max) == (512, 4)
    assert info.source == {"model": "custom_2x.safetensors", "ONNX model": "small.onnx"}[source]
    shown = broadcast_type(events, build.out("Engine"))
    assert isinstance(shown, dict)
    assert shown["fields"]["scale"] == 2
    assert_progress_grows_to_its_end(events, build)


def test_a_build_can_be_stopped_and_leaves_nothing(
    backend: Backend, artifacts: Artifacts, tmp_path: Path
) -> None:
    graph = backend.graph()
    model = load(graph, artifacts.tiny).out("Model")
    export = graph.add("aethernet:export_onnx", {"Model": model, "Verify": False})
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


@pytest.mark.parametrize("trusted", [False, True])
def test_an_engine_that_nothing_describes_is_loaded_only_if_trusted(
    backend: Backend, artifacts: Artifacts, tmp_path: Path, photograph: Path, trusted: bool
) -> None:
    alone = tmp_path / "alone.engine"
    alone.write_bytes(artifacts.engine().read_bytes())
    graph = backend.graph()
    engine = graph.add("aethernet:load_engine", {"Engine File": alone, "Trust": trusted})
    image = graph.add("chainner:image:load", {"Image File": photograph})
    graph.add(  # chaiNNer leaves out nodes that nothing depends on
        "chainner:image:save",
        {"Image": image.out("Image"), "Directory": tmp_path, "Image Name": engine.out("Name")},
    )
    if trusted:
        backend.run(graph)
        return
    with pytest.raises(NodeError, match=r"an engine is a program, and no alone\.engine\.json .* give Trust"):
        backend.run(graph)


def test_an_engine_is_loaded_and_needs_a_gpu_to_run(
    backend: Backend, artifacts: Artifacts, tmp_path: Path, photograph: Path
) -> None:
    file = artifacts.engine()
    graph = backend.graph()
    engine = graph.add("aethernet:load_engine", {"Engine File": file})
    image = graph.add("chainner:image:load", {"Image File": photograph})
    upscaled = graph.add(
        "aethernet:upscale_image", {"Image": image.out("Image"), "Engine": engine.out("Engine")}
    )
    save_image(graph, upscaled, tmp_path / "chainner.png")
    if torch.cuda.is_available():
        backend.run(graph)
        assert_upscaled(tmp_path / "chainner.png", photograph, file)
        return
    with pytest.raises(NodeError, match=rf"{file.name} needs an NVIDIA GPU and its driver") as caught:
        backend.run(graph)
    assert caught.value.node_id == upscaled.id
