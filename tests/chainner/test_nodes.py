"""Every node, run by chaiNNer's own backend on real checkpoints, together with chaiNNer's own nodes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from spandrel_aethernet.data import DEMO_MODEL, original
from spandrel_aethernet.model.fuse_file import fuse_file
from spandrel_aethernet.model.io import load_model
from spandrel_aethernet.model.source import as_source

from ..artifacts import Artifacts
from ..model.reference import load_case
from .backend import Backend, NodeError
from .demo import (
    WITHOUT_QAT,
    assert_progress_grows_to_its_end,
    assert_upscaled,
    load,
    metadata_of,
    pixels,
    save_image,
    told,
)


def test_all_nodes_are_there_and_the_log_has_no_word_against_them(backend: Backend) -> None:
    ours = {schema_id for schema_id in backend.nodes() if schema_id.startswith("aethernet:")}

    assert ours == {
        "aethernet:build_engine",
        "aethernet:calibrate",
        "aethernet:export_onnx",
        "aethernet:info",
        "aethernet:load_engine",
        "aethernet:save_release",
        "aethernet:upscale_image",
    }
    assert "aethernet" not in backend.loading_log.lower()


def test_every_input_and_output_explains_itself(backend: Backend) -> None:
    for schema_id, node in backend.nodes().items():
        if schema_id.startswith("aethernet:"):
            for end in (*node["inputs"], *node["outputs"]):
                assert end["description"] or end["label"] in ("Directory", "Name", "Image"), (schema_id, end)


def test_info(backend: Backend, tmp_path: Path, photograph: Path) -> None:
    graph = backend.graph()
    image = graph.add("chainner:image:load", {"Image File": photograph})
    infos = [
        graph.add("aethernet:info", {"Model": load(graph, checkpoint).out("Model")})
        for checkpoint in (DEMO_MODEL, WITHOUT_QAT)
    ]
    for info in infos:  # chaiNNer leaves out nodes that nothing depends on
        graph.add(
            "chainner:image:save",
            {"Image": image.out("Image"), "Directory": tmp_path, "Image Name": info.out("Variant")},
        )
    events = backend.run(graph)
    trained, untrained = (told(events, info) for info in infos)

    assert trained["Variant"] == "aether_small"
    assert trained["Scale"] == 2
    assert trained["Layout"] == "not fused, QAT"
    assert "activation layers.0.1.norm: " in str(trained["Range Points"])
    assert trained["Range Count"] == len(str(trained["Range Points"]).splitlines())
    assert untrained["Layout"] == "fused"
    assert (untrained["Range Count"], untrained["Range Points"]) == (0, "")


@pytest.mark.parametrize("form", ["not fused QAT", "fused pth", "fused safetensors", "float16", "second"])
def test_chainners_own_nodes_load_and_upscale_with_every_form(
    backend: Backend, artifacts: Artifacts, tmp_path: Path, photograph: Path, form: str
) -> None:
    checkpoint = {"not fused QAT": DEMO_MODEL, "float16": WITHOUT_QAT}.get(form, tmp_path / f"{form}.pth")
    if form == "second":
        checkpoint = tmp_path / "published.pth"
        torch.save(load_case("gen2_tiny_2x_notfused").checkpoint, checkpoint)
    elif form.startswith("fused"):
        checkpoint = tmp_path / f"model.{form.split()[1]}"
        fuse_file(artifacts.tiny, checkpoint)
    graph = backend.graph()
    image = graph.add("chainner:image:load", {"Image File": photograph})
    upscaled = graph.add(
        "chainner:pytorch:upscale_image",
        {"Image": image.out("Image"), "Model": load(graph, checkpoint).out("Model")},
    )
    save_image(graph, upscaled, tmp_path / "chainner.png")
    backend.run(graph)

    assert_upscaled(tmp_path / "chainner.png", photograph, checkpoint)


@pytest.mark.parametrize(
    ("precision", "network"),
    [
        *(("fp32", "tiny"), ("fp16", "tiny"), ("fp32-int8", "demo"), ("fp16-int8", "tiny")),
        ("fp32-int8", "second"),
    ],
)
def test_an_exported_model_works_in_chainners_own_onnx_nodes(
    backend: Backend, artifacts: Artifacts, tmp_path: Path, photograph: Path, precision: str, network: str
) -> None:
    checkpoint = {"demo": DEMO_MODEL, "second": artifacts.second}.get(network, artifacts.tiny)
    graph = backend.graph()
    image = graph.add("chainner:image:load", {"Image File": photograph})
    loaded = load(graph, checkpoint).out("Model")
    export = graph.add("aethernet:export_onnx", {"Model": loaded, "Precision": precision})
    model = export.out("ONNX Model")
    graph.add("chainner:onnx:save_model", {"Model": model, "Directory": tmp_path, "Model Name": "saved"})
    upscaled = graph.add("chainner:onnx:upscale_image", {"Image": image.out("Image"), "Model": model})
    save_image(graph, upscaled, tmp_path / "chainner.png")
    info = graph.add("chainner:onnx:model_info", {"ONNX Model": model})
    graph.add(
        "chainner:image:save",
        {"Image": image.out("Image"), "Directory": tmp_path, "Image Name": info.out("Purpose")},
    )
    events = backend.run(graph)
    saved = tmp_path / "saved.onnx"

    expected = as_source(load_model(checkpoint))
    metadata = metadata_of(saved)
    assert (metadata.precision, metadata.source) == (precision, expected.name)
    assert metadata.source_sha256 == expected.sha256
    assert told(events, info) == {"Scale": 2, "Purpose": "Generic"}
    assert_upscaled(tmp_path / "chainner.png", photograph, saved)
    assert_progress_grows_to_its_end(events, export)


def test_an_export_has_the_opset_the_sizes_and_the_preset_that_were_chosen(
    backend: Backend, artifacts: Artifacts, tmp_path: Path
) -> None:
    graph = backend.graph()
    chosen = {"Precision": "fp32-int8", "Optimised For": "tensorrt", "Opset": 20, "Sizes": "fixed"}
    export = graph.add(
        "aethernet:export_onnx",
        {
            "Model": load(graph, artifacts.tiny).out("Model"),
            **chosen,
            "Height": 48,
            "Width": 64,
            "Verify": False,
        },
    )
    graph.add(
        "chainner:onnx:save_model",
        {"Model": export.out("ONNX Model"), "Directory": tmp_path, "Model Name": "saved"},
    )
    backend.run(graph)
    model = onnx.load(str(tmp_path / "saved.onnx"))

    assert [opset.version for opset in model.opset_import] == [20]
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 48, 64]
    assert metadata_of(tmp_path / "saved.onnx").preset == "tensorrt"


def test_ranges_calibrated_on_own_images_go_into_the_export(
    backend: Backend, artifacts: Artifacts, tmp_path: Path, photograph: Path
) -> None:
    scales: list[dict[str, float]] = []
    for folder, brightness in (("black", 0.0), ("bright", 1.0)):
        (tmp_path / folder).mkdir()
        for number in range(2):
            Image.fromarray((pixels(photograph) * brightness).astype(np.uint8)).save(
                tmp_path / folder / f"{number}.png"
            )
        graph = backend.graph()
        images = graph.add("chainner:image:load_images", {"Directory": tmp_path / folder})
        calibrated = graph.add(
            "aethernet:calibrate",
            {"Image Sequence": images.out("Image"), "Model": load(graph, artifacts.tiny_float).out("Model")},
        )
        export = graph.add(
            "aethernet:export_onnx", {"Model": calibrated.out("Calibrated Model"), "Verify": False}
        )
        graph.add(
            "chainner:onnx:save_model",
            {"Model": export.out("ONNX Model"), "Directory": tmp_path, "Model Name": folder},
        )
        events = backend.run(graph)
        tensors = onnx.load(str(tmp_path / f"{folder}.onnx")).graph.initializer
        inputs = {t.name: onnx.numpy_helper.to_array(t) for t in tensors if t.name.endswith("input.scale")}
        scales.append({name: float(scale) for name, scale in inputs.items()})
        (data,) = (e.data["data"] for e in events if (e.name, e.node) == ("node-broadcast", calibrated.id))
        assert "calibrated" in data["0"]["tags"]

    assert scales[0] != pytest.approx(scales[1], rel=0.02)
    assert set(metadata_of(tmp_path / "black.onnx").input_ranges.values()) == {"calibrated"}


def test_a_release_is_made_once_and_replaced_only_if_asked(
    backend: Backend, artifacts: Artifacts, tmp_path: Path
) -> None:
    (tmp_path / "photographs").mkdir()
    Image.open(original("chelsea")).crop((0, 0, 96, 96)).save(tmp_path / "photographs" / "one.png")
    graph = backend.graph()
    options = {"Directory": tmp_path, "Folder Name": "mine", "Comparison Images": tmp_path / "photographs"}
    release = graph.add(
        "aethernet:save_release", {"Model": load(graph, artifacts.tiny).out("Model"), **options}
    )
    events = backend.run(graph)
    sums = [line.split("  ") for line in (tmp_path / "mine" / "SHA256SUMS").read_text().splitlines()]

    assert len(sums) >= 8
    for expected, name in sums:
        assert hashlib.sha256((tmp_path / "mine" / name).read_bytes()).hexdigest() == expected
    assert_progress_grows_to_its_end(events, release)
    with pytest.raises(NodeError, match=r"mine exists and is kept: .* Overwrite$"):
        backend.run(graph)
