"""The model repository of a release: read with Triton's own messages, served, and asked as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from spandrel_aethernet import Profile, Range, export_network
from spandrel_aethernet.images.files import Picture, write_picture
from spandrel_aethernet.images.psnr import psnr
from spandrel_aethernet.onnx_export.export import Exported
from spandrel_aethernet.release import triton
from spandrel_aethernet.release.triton import config, write_repository

from ..artifacts import Artifacts
from ..images.pictures import photograph

pytest.importorskip("skimage")
pytest.importorskip("tritonclient.grpc")

import tritonclient.grpc as client
from tritonclient.utils import InferenceServerException

from .triton_server import read_config, serving, type_of

ROOT = Path(__file__).parents[2]
NAME = "aether_tiny_2x_fp16"
ONNX_TYPES = {"tensor(float16)": "TYPE_FP16", "tensor(float)": "TYPE_FP32"}


@pytest.fixture(scope="module")
def repository(release: Path) -> Path:
    return release / "triton"


def session_of(path: Path) -> Any:
    library: Any = onnxruntime
    return library.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def check_tensors(found: Any, path: Path) -> None:
    """The configuration has the names, types and sizes that ONNX Runtime finds, but for the batch."""
    session = session_of(path)
    for tensors, ends in ((found.input, session.get_inputs()), (found.output, session.get_outputs())):
        assert len(tensors) == len(ends) == 1
        assert (tensors[0].name, type_of(tensors[0])) == (ends[0].name, ONNX_TYPES[ends[0].type])
        sizes = [size if isinstance(size, int) else -1 for size in ends[0].shape]
        assert [*([-1] if found.max_batch_size else []), *tensors[0].dims] == sizes


def test_the_repository_is_as_triton_wants_it(repository: Path) -> None:
    assert [path.name for path in repository.iterdir()] == [NAME]
    files = sorted(path.relative_to(repository / NAME).as_posix() for path in (repository / NAME).rglob("*"))
    assert files == ["1", "1/model.onnx", "config.pbtxt"]


def test_the_configuration_is_what_the_file_says(repository: Path) -> None:
    found = read_config(repository / NAME / "config.pbtxt")
    assert (found.name, found.backend) == (NAME, "onnxruntime")
    assert found.default_model_filename == "model.onnx"
    assert found.max_batch_size == 16
    assert list(found.input[0].dims) == list(found.output[0].dims) == [3, -1, -1]
    check_tensors(found, repository / NAME / "1" / "model.onnx")
    assert found.HasField("dynamic_batching")
    assert [(group.count, group.kind == group.KIND_AUTO) for group in found.instance_group] == [(1, True)]


def test_the_model_is_the_releases_own(repository: Path, release: Path) -> None:
    served = (repository / NAME / "1" / "model.onnx").read_bytes()
    assert served == (release / f"{NAME}.onnx").read_bytes()


def test_report_and_card_know_it(release: Path) -> None:
    document = json.loads((release / "report.json").read_text(encoding="utf-8"))
    assert document["triton"] == {"name": NAME, "file": f"{NAME}.onnx", "max_batch_size": 16}
    card = (release / "README.md").read_text(encoding="utf-8")
    assert f"It serves `{NAME}.onnx` as `{NAME}`" in card
    assert '-v "$PWD/triton:/models" \\\n' in card


@pytest.mark.parametrize("precision", ["fp32", "fp16", "fp32-int8", "fp16-int8"])
def test_every_precision_has_a_configuration(precision: str, artifacts: Artifacts, tmp_path: Path) -> None:
    path = artifacts.onnx(precision)
    (tmp_path / "config.pbtxt").write_text(config(onnx.load(str(path)), "any", max_batch=4), encoding="utf-8")
    found = read_config(tmp_path / "config.pbtxt")
    assert found.max_batch_size == 4
    check_tensors(found, path)


def test_a_fixed_batch_is_among_the_dimensions(artifacts: Artifacts, tmp_path: Path) -> None:
    model = onnx.load(str(artifacts.onnx("fp32")))
    for entry in (model.graph.input[0], model.graph.output[0]):
        entry.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, tmp_path / "fixed.onnx")
    (tmp_path / "config.pbtxt").write_text(config(model, "fixed", max_batch=16), encoding="utf-8")
    found = read_config(tmp_path / "config.pbtxt")
    assert (found.max_batch_size, found.HasField("dynamic_batching")) == (0, False)
    assert list(found.input[0].dims) == [1, 3, -1, -1]
    check_tensors(found, tmp_path / "fixed.onnx")


def test_a_disk_without_links_gets_a_copy(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(triton.os, "link", refuse)
    exported = Exported(onnx.load(str(artifacts.onnx("fp16"))), artifacts.report("fp16"))
    served = write_repository(tmp_path, artifacts.onnx("fp16"), exported)
    copy = tmp_path / "triton" / served.name / "1" / "model.onnx"
    assert copy.stat().st_nlink == 1
    assert copy.read_bytes() == artifacts.onnx("fp16").read_bytes()


def test_batches_go_through_as_one_tensor(repository: Path) -> None:
    library: Any = client
    images = np.random.default_rng(0).random((3, 3, 16, 24)).astype(np.float16)
    with serving(repository) as port:
        asked = library.InferenceServerClient(f"localhost:{port}")
        for shape in ((3, 3, 16, 24), (17, 3, 16, 24), (3, 16, 24)):
            given = library.InferInput("input", shape, "FP16")
            given.set_data_from_numpy(np.resize(images, shape))
            if shape[0] == 3 and len(shape) == 4:
                output = asked.infer(NAME, [given]).as_numpy("output")
                assert (output.shape, output.dtype) == ((3, 3, 32, 48), np.float16)
            else:
                with pytest.raises(InferenceServerException, match="not the configured one"):
                    asked.infer(NAME, [given])


def test_the_client_of_the_page(
    repository: Path, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "triton.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    write_picture(Picture(photograph(32, 40)), tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    with serving(repository) as port:
        code = code.replace("localhost:8001", f"localhost:{port}").replace("aether_small_2x_fp16", NAME)
        exec(compile(code, "triton.md", "exec"), {})  # noqa: S102
    made = np.asarray(Image.open("photo_2x.png"))
    image = np.moveaxis(photograph(32, 40), 2, 0)[None].astype(np.float32) / 255
    exact = session_of(release / "aether_tiny_2x_fp32.onnx").run(None, {"input": image})[0]
    expected = np.rint(exact[0].transpose(1, 2, 0).clip(0, 1) * 255)
    assert made.shape == (64, 80, 3)
    assert psnr(made, expected, peak=255) > 45


@pytest.mark.slow
def test_the_batch_is_the_profiles(artifacts: Artifacts, tmp_path: Path) -> None:
    profile = Profile(Range(1, 1, 2), Range(16, 16, 32), Range(16, 16, 32))
    exported = export_network(artifacts.tiny, precision="fp16", profile=profile, verified=False)
    (tmp_path / "small.onnx").write_bytes(exported.model.SerializeToString())
    assert write_repository(tmp_path, tmp_path / "small.onnx", exported).max_batch_size == 2
