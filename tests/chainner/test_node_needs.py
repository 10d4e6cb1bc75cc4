"""What `status` says that nodes need, against what really keeps them from loading in chaiNNer."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from chainner_nodes.installer.needs import NEEDS, NODE_NAMES, Need

from .backend import REPOSITORY, Backend

EXPORTING = {"export_aethernet_to_onnx", "save_aethernet_release"}
MODULES = {
    "PyTorch": ["torch"],
    "spandrel": ["spandrel"],
    "ONNX": ["onnx"],
    "ONNX Runtime": ["onnxruntime"],
    "TensorRT": ["tensorrt", "tensorrt_rtx"],
    "rich": ["rich"],
    "platformdirs": ["platformdirs"],
    "pyvips": ["pyvips"],
    "pyvips-binary": ["_libvips"],
    "scikit-image": ["skimage"],
    "onnxscript": ["onnxscript"],
    "spandrel_aethernet": ["spandrel_aethernet"],
}
LOAD = """
import importlib, importlib.util, json, pkgutil, sys
from importlib.machinery import PathFinder

sys.path[:0] = sys.argv[1:3]
find_spec, absent = PathFinder.find_spec, set()

def find_present(name, path=None, target=None):
    return None if name.partition(".")[0] in absent else find_spec(name, path, target)

def fail():
    failed = set()
    import chainner_nodes.aethernet
    for module in pkgutil.iter_modules(chainner_nodes.aethernet.__path__):
        try:
            if not module.name.startswith("_"):
                importlib.import_module("chainner_nodes.aethernet." + module.name)
        except Exception:
            failed.add(module.name)
    return sorted(failed)

PathFinder.find_spec = find_present
print(json.dumps(fail()))
for modules in json.loads(sys.argv[3]):
    absent.update(modules)
    tops = absent | {"chainner_nodes", "spandrel_aethernet"}
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in tops}
    print(json.dumps(fail()))
    for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
        del sys.modules[name]
    sys.modules.update(hidden)
    absent.clear()
"""


@pytest.fixture(scope="module")
def failing(chainner_src: Path, chainner_python: str) -> dict[str, list[str]]:
    """The node modules that do not load without something, or at all (under "")."""
    folders = [str(chainner_src / "backend" / "src"), str(REPOSITORY)]
    result = subprocess.run(
        [chainner_python, "-B", "-c", LOAD, *folders, json.dumps(list(MODULES.values()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("[")]
    return dict(zip(["", *MODULES], map(json.loads, lines), strict=True))


def test_all_nodes_load_with_everything(failing: dict[str, list[str]]) -> None:
    assert failing[""] == []


@pytest.mark.parametrize(
    ("missing", "left"),
    [
        ("ONNX", NODE_NAMES.keys() - {"build_aethernet_engine", *EXPORTING}),
        ("ONNX Runtime", NODE_NAMES.keys() - EXPORTING),
        ("TensorRT", NODE_NAMES.keys() - {"build_aethernet_engine", "upscale_image_aethernet_engine"}),
        ("spandrel_aethernet", set[str]()),
    ],
)
def test_a_missing_package_costs_only_the_nodes_that_need_it(
    failing: dict[str, list[str]], missing: str, left: set[str]
) -> None:
    assert NODE_NAMES.keys() - failing[missing] == left


def test_chainner_says_what_is_missing_and_keeps_its_own_nodes(
    chainner_src: Path, chainner_python: str, tmp_path: Path
) -> None:
    without = ["onnx", "tensorrt_rtx", "tensorrt"]
    with Backend(chainner_src, tmp_path / "backend", python=chainner_python, without=without) as backend:
        ours = {name.partition(":")[2] for name in backend.nodes() if name.startswith("aethernet:")}

        assert ours == {"calibrate", "info", "load_engine"}
        assert "No module named 'onnx'" in backend.log
        assert "No module named 'tensorrt_rtx'" in backend.log
        assert "chainner:pytorch:load_model" in backend.nodes()


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.name)
def test_a_node_that_does_not_load_without_something_is_said_to_need_it(
    failing: dict[str, list[str]], need: Need
) -> None:
    assert set(failing[need.name]) <= set(need.nodes)


def test_every_node_is_known_by_its_name() -> None:
    folder = REPOSITORY / "chainner_nodes" / "aethernet"
    named = {
        path.stem: re.findall(r'^    name="(.*)",$', path.read_text(), re.MULTILINE)
        for path in folder.glob("[a-z]*.py")
    }
    assert named == {module: [name] for module, name in NODE_NAMES.items()}
