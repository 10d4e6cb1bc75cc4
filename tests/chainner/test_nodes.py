"""Every node, run by chaiNNer's own backend on real checkpoints, together with chaiNNer's own nodes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from spandrel_aethernet.cli import main
from spandrel_aethernet.data import DEMO_MODEL, original
from spandrel_aethernet.model.fuse_file import fuse_file

from .backend import Backend, NodeError
from .demo import WITHOUT_QAT, assert_same, load, metadata_of, pixels, progress, save_image, told


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


@pytest.mark.parametrize("form", ["not fused QAT", "fused pth", "fused safetensors", "float16"])
def test_chainners_own_nodes_load_and_upscale_with_every_form(
    backend: Backend, tmp_path: Path, photograph: Path, form: str
) -> None:
    checkpoint = {"not fused QAT": DEMO_MODEL, "float16": WITHOUT_QAT}.get(form, tmp_path / f"{form}.pth")
    if form.startswith("fused"):
        checkpoint = tmp_path / f"model.{form.split()[1]}"
        fuse_file(DEMO_MODEL, checkpoint)
    graph = backend.graph()
    image = graph.add("chainner:image:load", {"Image File": photograph})
    upscaled = graph.add(
        "chainner:pytorch:upscale_image",
        {"Image": image.out("Image"), "Model": load(graph, checkpoint).out("Model")},
    )
    save_image(graph, upscaled, tmp_path / "chainner.png")
    backend.run(graph)
    assert main(["upscale", str(photograph), "-o", str(tmp_path / "ours.png"), "-m", str(checkpoint)]) == 0

    assert_same(tmp_path / "chainner.png", tmp_path / "ours.png")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "fp32-int8", "fp16-int8"])
def test_an_exported_model_works_in_chainners_own_onnx_nodes(
    backend: Backend, tmp_path: Path, photograph: Path, precision: str
) -> None:
    graph = backend.graph()
    image = graph.add("chainner:image:load", {"Image File": photograph})
    export = graph.add("aethernet:export_onnx", {"Model": load(graph).out("Model"), "Precision": precision})
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
    assert main(["upscale", str(photograph), "-o", str(tmp_path / "ours.png"), "-m", str(saved)]) == 0

    assert metadata_of(saved).precision == precision
    assert told(events, info) == {"Scale": 2, "Purpose": "Generic"}
    assert_same(tmp_path / "chainner.png", tmp_path / "ours.png")
    steps = progress(events, export)
    assert steps == sorted(steps)
    assert steps[-1] == 1


def test_an_export_has_the_opset_the_sizes_and_the_preset_that_were_chosen(
    backend: Backend, tmp_path: Path
) -> None:
    graph = backend.graph()
    chosen = {"Precision": "fp32-int8", "Optimised For": "tensorrt", "Opset": 20, "Sizes": "fixed"}
    export = graph.add(
        "aethernet:export_onnx",
        {"Model": load(graph).out("Model"), **chosen, "Height": 48, "Width": 64, "Verify": False},
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
    backend: Backend, tmp_path: Path, photograph: Path
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
            {"Image Sequence": images.out("Image"), "Model": load(graph, WITHOUT_QAT).out("Model")},
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


def test_a_release_is_made_once_and_replaced_only_if_asked(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    Image.open(original("chelsea")).crop((0, 0, 96, 96)).save(tmp_path / "photographs" / "one.png")
    graph = backend.graph()
    options = {"Directory": tmp_path, "Folder Name": "mine", "Comparison Images": tmp_path / "photographs"}
    release = graph.add("aethernet:save_release", {"Model": load(graph).out("Model"), **options})
    events = backend.run(graph)
    sums = [line.split("  ") for line in (tmp_path / "mine" / "SHA256SUMS").read_text().splitlines()]

    assert len(sums) >= 8
    for expected, name in sums:
        assert hashlib.sha256((tmp_path / "mine" / name).read_bytes()).hexdigest() == expected
    assert progress(events, release)[-1] == 1
    with pytest.raises(NodeError, match=r"mine exists and is kept: .* Overwrite$"):
        backend.run(graph)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"Precision": "fp16-int8", "Opset": 17}, "opset 17 cannot hold fp16-int8: expected 19 to 21"),
        ({"Opset": 21}, f"PyTorch {torch.__version__} cannot write opset 21: choose 20 or less"),
        (
            {"Sizes": "custom", "Smallest Side": 300},
            "Smallest Side 300, Usual Side 256 and Largest Side 1080 must grow in this order",
        ),
    ],
)
def test_a_bad_input_is_one_sentence(
    backend: Backend, tmp_path: Path, inputs: dict[str | int, str | int], sentence: str
) -> None:
    graph = backend.graph()
    export = graph.add("aethernet:export_onnx", {"Model": load(graph).out("Model"), **inputs})
    graph.add("chainner:onnx:save_model", {"Model": export.out(0), "Directory": tmp_path, "Model Name": "x"})

    with pytest.raises(NodeError) as caught:
        backend.run(graph)
    assert caught.value.message == sentence


def test_another_architecture_is_refused(backend: Backend, tmp_path: Path) -> None:
    shapes = {
        "0.weight": (8, 3, 3, 3),
        "0.bias": (8,),
        "1.weight": (8,),
        "2.weight": (12, 8, 3, 3),
        "2.bias": (12,),
    }
    torch.save({f"body.{key}": torch.zeros(shape) for key, shape in shapes.items()}, tmp_path / "compact.pth")
    graph = backend.graph()
    model = load(graph, tmp_path / "compact.pth")
    graph.add("aethernet:save_release", {"Model": model.out("Model"), "Directory": tmp_path})

    with pytest.raises(NodeError, match="Model is RealESRGAN Compact, and this node takes AetherNet models"):
        backend.run(graph)


@pytest.mark.parametrize(
    ("missing", "left"),
    [
        ("onnx", {"calibrate", "info", "load_engine", "upscale_image"}),
        ("onnxruntime", {"build_engine", "calibrate", "info", "load_engine", "upscale_image"}),
        ("tensorrt_rtx", {"calibrate", "export_onnx", "info", "load_engine", "save_release"}),
        ("spandrel_aethernet", set[str]()),
    ],
)
def test_a_missing_package_costs_only_the_nodes_that_need_it(
    chainner_src: Path, chainner_python: str, tmp_path: Path, missing: str, left: set[str]
) -> None:
    without = [missing, "tensorrt"]  # either TensorRT will do
    with Backend(chainner_src, tmp_path / "backend", python=chainner_python, without=without) as backend:
        ours = {name.partition(":")[2] for name in backend.nodes() if name.startswith("aethernet:")}

        assert ours == left
        assert f"No module named '{missing}'" in backend.log
        assert "chainner:pytorch:load_model" in backend.nodes()
