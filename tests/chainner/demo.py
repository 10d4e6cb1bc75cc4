"""What the tests of the nodes share: a checkpoint in a graph, and what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spandrel_aethernet import upscale
from spandrel_aethernet.model.io import SUFFIXES
from spandrel_aethernet.onnx_model.metadata import Metadata, read_metadata
from spandrel_aethernet.onnx_model.read import read_model

from .events import Event, broadcast_type
from .graphs import Graph, Node

WITHOUT_QAT = Path(__file__).parents[1] / "data" / "aether_small_2x_float16.safetensors"


def load(graph: Graph, checkpoint: Path) -> Node:
    return graph.add("chainner:pytorch:load_model", {"Model": checkpoint})


def save_image(graph: Graph, image: Node, target: Path) -> None:
    graph.add(
        "chainner:image:save",
        {"Image": image.out("Image"), "Directory": target.parent, "Image Name": target.stem},
    )


def told(events: list[Event], node: Node) -> dict[str, object]:
    """Return the value of each output of a node that chaiNNer shows as one, by label."""
    types = {
        output["label"]: broadcast_type(events, node.out(output["id"])) for output in node.schema["outputs"]
    }
    return {label: shown["value"] if isinstance(shown, dict) else shown for label, shown in types.items()}


def assert_progress_grows_to_its_end(events: list[Event], node: Node) -> None:
    steps = [e.data["progress"] for e in events if (e.name, e.node) == ("node-progress", node.id)]
    assert len(set(steps)) > 2
    assert steps == sorted(steps)
    assert steps[-1] == 1


def pixels(path: Path) -> NDArray[np.int64]:
    return np.asarray(Image.open(path).convert("RGB")).astype(np.int64)


def assert_upscaled(result: Path, picture: Path, model: Path) -> None:
    """Compare what a node made of a picture with what we make of it, of a checkpoint in float32."""
    dtype = "float32" if model.suffix in SUFFIXES else "auto"
    expected = upscale(pixels(picture).astype(np.uint8), model, dtype=dtype).astype(np.int64)
    assert pixels(result).shape == expected.shape
    assert np.abs(pixels(result) - expected).max() <= 1


def metadata_of(path: Path) -> Metadata:
    metadata = read_metadata(read_model(path))
    assert metadata is not None
    return metadata
