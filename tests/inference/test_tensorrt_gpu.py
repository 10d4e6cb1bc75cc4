"""TensorRT engines on a GPU: they give what PyTorch gives."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from spandrel_aethernet.engines.build import build_engine
from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.runtime import find_runtime
from spandrel_aethernet.engines.sidecar import document, sidecar_path
from spandrel_aethernet.errors import EngineError
from spandrel_aethernet.images.files import Picture, read_picture, write_picture
from spandrel_aethernet.inference.padding import Limits, run_padded
from spandrel_aethernet.inference.pytorch import PyTorchBackend
from spandrel_aethernet.inference.stream import upscale_pixels
from spandrel_aethernet.inference.tensorrt.backend import TensorRTBackend

from ..conftest import Result, make_network
from ..images.pictures import photograph
from .engine_files import SHAPES, info_of

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
]


@dataclasses.dataclass(frozen=True)
class Built:
    """One network as a checkpoint and as an engine for the GPU that is here."""

    checkpoint: Path
    engine: Path
    reference: PyTorchBackend
    tolerance: float


@pytest.fixture(scope="session", params=["rtx-fp32", "rtx-fp16", "tensorrt-fp32", "tensorrt-fp16"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    name, precision = str(request.param).split("-")
    try:
        runtime = find_runtime(name)
    except EngineError as error:
        pytest.skip(str(error))
    capability = "{}.{}".format(*torch.cuda.get_device_capability())
    if name == "rtx" and capability not in runtime.capabilities():
        pytest.skip(f"{runtime.title} builds nothing for GPUs of {capability}")
    folder = tmp_path_factory.mktemp("built")
    checkpoint, engine = folder / "net.pth", folder / "net.engine"
    torch.save(make_network().state_dict(), checkpoint)
    targets = [capability] if name == "rtx" else []
    options = BuildOptions(runtime=name, targets=targets, shapes=SHAPES)
    build_engine(checkpoint, engine, options, precision=precision)
    reference = PyTorchBackend(make_network(), torch.device("cuda"), torch.float32)
    return Built(checkpoint, engine, reference, {"fp32": 1e-2, "fp16": 5e-2}[precision])


def difference(built: Built, backend: TensorRTBackend, *shape: int) -> float:
    """Return the largest difference from PyTorch, which is given what the engine takes."""
    batch = torch.from_numpy(np.random.default_rng(sum(shape)).random(shape, dtype=np.float32)).cuda()
    accepted = dataclasses.replace(backend.accepted, batch=Limits())
    expected = run_padded(built.reference.forward, batch, accepted, scale=2, refuse=EngineError)
    output = backend.forward(batch).float()
    assert output.shape == expected.shape
    assert expected.std() > 0.1, "or there is nothing to compare"
    return float((output - expected).abs().max())


def test_an_engine_gives_what_pytorch_gives(built: Built) -> None:
    backend = TensorRTBackend(built.engine)
    assert (backend.scale, backend.channels, backend.max_batch, backend.auto_tile()) == (2, 3, 4, 32)
    assert str(backend.accepted) == "16×24 to 64×96"
    assert " engine, 16×24 to 64×96, 2x, fp" in backend.description
    assert torch.cuda.get_device_name() in backend.description
    # The opt shape, then larger and smaller ones with the memory of those before, more than a batch,
    # less than the min shape, and what was run before.
    for shape in ((1, 32, 48), (4, 64, 96), (1, 16, 24), (9, 40, 40), (2, 5, 90), (3, 1, 1), (1, 32, 48)):
        count, height, width = shape
        assert difference(built, backend, count, 3, height, width) < built.tolerance, shape
    for size in ((65, 96), (64, 97)):
        with pytest.raises(EngineError, match=r"takes 16×24 to 64×96 and was given .*: give tile=64"):
            backend(np.zeros((1, *size, 3), np.uint8))


def test_an_engine_runs_without_its_description_only_if_trusted(built: Built, tmp_path: Path) -> None:
    alone = tmp_path / "alone.plan"
    alone.write_bytes(built.engine.read_bytes())
    with pytest.raises(EngineError, match="an engine is a program"):
        TensorRTBackend(alone)
    assert difference(built, TensorRTBackend(alone, trust=True), 2, 3, 32, 48) < built.tolerance


def test_tiles_in_batches_are_the_image(built: Built) -> None:
    backend = TensorRTBackend(built.engine, device="cuda:0")
    pixels = photograph(100, 120)
    expected = upscale_pixels(built.reference, pixels, tile=48, overlap=8).astype(int)
    assert np.abs(upscale_pixels(backend, pixels, tile=48, overlap=8) - expected).max() <= 12
    backend.max_batch = 1
    assert np.abs(upscale_pixels(backend, pixels, tile=48, overlap=8) - expected).max() <= 12


def test_the_commands_take_engines(built: Built, tmp_path: Path, aethernet: Callable[..., Result]) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    write_picture(Picture(photograph(100, 120)), photos / "a.png")
    options = ("-m", built.engine, "--tile", 64, "--overlap", 8)
    result = aethernet("upscale", photos, "-o", out, *options)
    assert result.code == 0, result.err
    assert read_picture(out / "a.png").pixels.shape == (200, 240, 3)
    models = (built.checkpoint, built.engine)
    result = aethernet("compare", *models, "--images", photos, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["models"][1]["largest_difference"] <= 12
    result = aethernet("benchmark", *models, "--sizes", 32, 64, "--device", "cuda", "--json")
    assert result.code == 0, result.err
    result = aethernet("upscale", photos, "-o", tmp_path / "no", "-m", built.engine, "--device", "cpu")
    assert "runs on an NVIDIA GPU only, not on cpu" in result.err


def test_what_another_tensorrt_built_is_not_run(built: Built, tmp_path: Path) -> None:
    other = tmp_path / "other.engine"
    other.write_bytes(built.engine.read_bytes())
    described = dataclasses.replace(info_of(built.engine), version="1.0.0.1")
    sidecar_path(other).write_text(document(described), encoding="utf-8")
    with pytest.raises(
        EngineError, match=r"was built with .* 1\.0\.0\.1, and .* is installed here: to build"
    ):
        TensorRTBackend(other)
    other.write_bytes(b"a letter, not a network" * 9)
    sidecar_path(other).unlink()
    with pytest.raises(EngineError, match=r"cannot be loaded by .*: to build it for this GPU, run aethernet"):
        TensorRTBackend(other, trust=True)
