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

from spandrel_aethernet.cli import main
from spandrel_aethernet.data import DEMO_MODEL

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
engine, flavour, folder = Path(sys.argv.pop(1)), sys.argv.pop(1), Path(sys.argv.pop(1))
for package in ("pytorch", "onnx", "tensorrt"):
    __import__(f"packages.chaiNNer_{package}")
import api
from chainner_nodes.aethernet._chainner_tensorrt import as_chainner_engine
from nodes.properties.outputs import TensorRTEngineOutput
from packages.chaiNNer_tensorrt.tensorrt.io.save_engine import save_engine_node
from packages.chaiNNer_tensorrt.tensorrt.processing.upscale_image import create_tiler_for_engine
from packages.chaiNNer_tensorrt.tensorrt.utility.get_engine_info import get_engine_info_node
from spandrel_aethernet.engines.sidecar import read_sidecar

made = as_chainner_engine(engine, dataclasses.replace(read_sidecar(engine), flavour=flavour))
save_engine_node(made, folder, "saved")
tiler = create_tiler_for_engine(made, 4096, 0)
told = {
    "info": get_engine_info_node(made),
    "type": TensorRTEngineOutput().get_broadcast_type(made)["fields"],
    "tags": TensorRTEngineOutput().get_broadcast_data(made)["tags"],
    "largest": tiler.starting_tile_size(9999, 9999, 3),
}
print(json.dumps(told))
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


def as_told_in_chainner(
    engine: Path, flavour: str, source: Path, python: str, stand_ins: Path, folder: Path
) -> dict[str, Any]:
    """Hand an engine to the functions of chaiNNer's own nodes, as if `flavour` had built it."""
    paths = [str(stand_ins), str(source / "backend" / "src"), str(REPOSITORY)]
    ran = subprocess.run(
        [python, "-c", _IN_CHAINNER, engine, flavour, folder],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("precision", "fed"), [("fp32-int8", "int8"), ("fp16-int8", "fp16"), ("fp32", "fp32")]
)
def test_shapes_scale_and_precision_are_what_chainners_nodes_expect(
    chainner_src: Path,
    chainner_python: str,
    stand_ins: Path,
    tmp_path: Path,
    precision: str,
    fed: str,
) -> None:
    engine = tmp_path / "small.engine"
    options = ["--target", "8.6", "--max-shapes", "4x3x640x768", "--precision", precision]
    assert main(["engine", str(DEMO_MODEL), "-o", str(engine), *options]) == 0
    told = as_told_in_chainner(engine, "tensorrt", chainner_src, chainner_python, stand_ins, tmp_path)

    scale, shown, architecture, _version, shapes = told["info"]
    assert (scale, shown, architecture) == (2, fed.upper(), "sm_86")
    assert shapes == "Dynamic: Min: 32x32 Opt: 256x256 Max: 640x768"
    assert (told["type"]["maxHeight"], told["type"]["maxWidth"], told["type"]["inputChannels"]) == (
        640,
        768,
        3,
    )
    assert told["largest"] == [640, 640]
    assert (tmp_path / "saved.engine").read_bytes() == engine.read_bytes()


def test_an_engine_of_tensorrt_for_rtx_is_known_but_not_run_there(
    with_tensorrt: Backend, tmp_path: Path
) -> None:
    graph = with_tensorrt.graph()
    model = graph.add("chainner:pytorch:load_model", {"Model": DEMO_MODEL})
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
