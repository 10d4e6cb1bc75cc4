"""Our engines in chaiNNer's own TensorRT nodes.

Those are there only with TensorRT and an NVIDIA GPU. What they need to be imported is stood in for, TensorRT
by TensorRT for RTX, whose names are the same; what they do with an engine, up to running it, is their own.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spandrel_aethernet import BuildOptions, build_engine
from spandrel_aethernet.engines.profile import Shapes

from ..artifacts import Artifacts
from .backend import REPOSITORY, Backend, NodeError

pytest.importorskip("tensorrt_rtx")

_STAND_INS = {
    "tensorrt/__init__.py": "from tensorrt_rtx import *\nfrom tensorrt_rtx import __version__\n",
    "cuda/bindings/runtime.py": "",
    "pynvml.py": """\
class NVMLError(Exception): pass
c_nvmlDevice_t = object
NVML_DEVICE_ARCH_UNKNOWN = 0xFFFFFFFF
for number, name in enumerate("KEPLER MAXWELL PASCAL VOLTA TURING AMPERE ADA HOPPER".split(), start=2):
    globals()["NVML_DEVICE_ARCH_" + name] = number
nvmlInit = nvmlShutdown = lambda: None
nvmlDeviceGetCount = lambda: 1
nvmlDeviceGetHandleByIndex = lambda index: index
nvmlDeviceGetName = lambda handle: "NVIDIA GeForce RTX 3060"
nvmlDeviceGetArchitecture = lambda handle: NVML_DEVICE_ARCH_AMPERE
""",
}
_IN_CHAINNER = """
import dataclasses, json, sys
from pathlib import Path
engines = [Path(argument) for argument in sys.argv[1:]]
for package in ("pytorch", "onnx", "tensorrt"):
    __import__(f"packages.chaiNNer_{package}")
import api
from chainner_nodes.aethernet._chainner_tensorrt import as_chainner_engine
from nodes.properties.outputs import TensorRTEngineOutput
from packages.chaiNNer_tensorrt.tensorrt.io.save_engine import save_engine_node
from packages.chaiNNer_tensorrt.tensorrt.processing.upscale_image import create_tiler_for_engine
from packages.chaiNNer_tensorrt.tensorrt.utility.get_engine_info import get_engine_info_node
from spandrel_aethernet.engines.sidecar import read_sidecar

def tell(engine):
    made = as_chainner_engine(engine, dataclasses.replace(read_sidecar(engine), runtime="tensorrt"))
    save_engine_node(made, engine.parent, engine.stem + "_saved")
    tiler = create_tiler_for_engine(made, 4096, 0)
    return {
        "info": get_engine_info_node(made),
        "type": TensorRTEngineOutput().get_broadcast_type(made)["fields"],
        "tags": TensorRTEngineOutput().get_broadcast_data(made)["tags"],
        "max": tiler.starting_tile_size(9999, 9999, 3),
    }

print(json.dumps([tell(engine) for engine in engines]))
"""


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to import them from."""
    folder = tmp_path_factory.mktemp("stand_ins")
    for name, text in _STAND_INS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def with_tensorrt(
    chainner_src: Path,
    chainner_python: str,
    stand_ins: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("backend")
    with Backend(chainner_src, folder, python=chainner_python, paths=[stand_ins]) as backend:
        yield backend


FED = {"fp32-int8": "int8", "fp16-int8": "fp16", "fp32": "fp32"}
"""Precisions of engines, and what makes chaiNNer feed them their own float type."""


@pytest.fixture(scope="module")
def engines(artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("engines")
    options = BuildOptions(targets=["8.6"], shapes=Shapes(max="4x3x640x768"))
    return {
        precision: build_engine(artifacts.onnx(precision), folder / f"{precision}.engine", options).path
        for precision in FED
    }


@pytest.fixture(scope="module")
def told(
    chainner_src: Path, chainner_python: str, stand_ins: Path, engines: dict[str, Path]
) -> dict[str, dict[str, Any]]:
    """What the functions of chaiNNer's own nodes say of engines, as if TensorRT had built them."""
    paths = [str(stand_ins), str(chainner_src / "backend" / "src"), str(REPOSITORY)]
    ran = subprocess.run(
        [chainner_python, "-c", _IN_CHAINNER, *engines.values()],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    return dict(zip(engines, json.loads(ran.stdout.splitlines()[-1]), strict=True))


@pytest.mark.parametrize("precision", FED)
def test_shapes_scale_and_precision_are_what_chainners_nodes_expect(
    told: dict[str, dict[str, Any]], precision: str
) -> None:
    scale, shown, architecture, _version, shapes = told[precision]["info"]
    assert (scale, shown, architecture) == (2, FED[precision].upper(), "sm_86")
    assert shapes == "Dynamic: Min: 32x32 Opt: 256x256 Max: 640x768"


def test_chainners_nodes_take_images_as_large_as_an_engine_does(told: dict[str, dict[str, Any]]) -> None:
    fields = told["fp16-int8"]["type"]
    assert (fields["maxHeight"], fields["maxWidth"], fields["inputChannels"]) == (640, 768, 3)
    assert told["fp16-int8"]["max"] == [640, 640]


@pytest.mark.usefixtures("told")
def test_chainners_save_engine_saves_the_engine(engines: dict[str, Path]) -> None:
    engine = engines["fp16-int8"]
    assert engine.with_name("fp16-int8_saved.engine").read_bytes() == engine.read_bytes()


def test_an_engine_of_tensorrt_for_rtx_is_known_but_not_run_there(
    with_tensorrt: Backend, artifacts: Artifacts, tmp_path: Path
) -> None:
    graph = with_tensorrt.graph()
    model = graph.add("chainner:pytorch:load_model", {"Model": artifacts.tiny})
    build = graph.add(
        "aethernet:build_engine",
        {"Model": model.out("Model"), "Directory": tmp_path, "For GPUs": "chosen", "GPUs": "8.6"},
    )
    for_chainner = build.out("TensorRT Engine")
    graph.add("chainner:tensorrt:engine_info", {"TensorRT Engine": for_chainner})
    with_tensorrt.run(graph)
    graph.add(
        "chainner:tensorrt:save_engine",
        {"TensorRT Engine": for_chainner, "Directory": tmp_path, "Engine Name": "x"},
    )

    with pytest.raises(
        NodeError, match=r"for TensorRT for RTX, which chaiNNer's own .* cannot run: use Upscale"
    ):
        with_tensorrt.run(graph)
