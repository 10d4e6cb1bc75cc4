"""What importing costs, and that nothing optional is needed."""

from __future__ import annotations

import json
import subprocess
import sys

OPTIONAL = ("onnx", "onnxruntime", "onnxscript", "skimage", "tensorrt", "tensorrt_rtx")


def run_python(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_import_brings_in_nothing_that_spandrel_does_not() -> None:
    code = """
import json, sys
import spandrel
before = set(sys.modules)
import spandrel_aethernet
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps([sorted(new - sys.stdlib_module_names), "AetherNet" in spandrel.MAIN_REGISTRY]))
"""
    packages, registered = json.loads(run_python(code))
    assert packages == ["spandrel_aethernet"]
    assert not registered, "only install() registers"


def test_every_module_and_every_help_works_without_optional_packages() -> None:
    code = f"""
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

import spandrel
sys.meta_path.insert(0, Absent())
import spandrel_aethernet
for module in pkgutil.walk_packages(spandrel_aethernet.__path__, "spandrel_aethernet."):
    # What works on ONNX graphs needs onnx; the commands import it when they run.
    onnx = {{"onnx_export", "release"}} & {{*module.name.split(".")[:-1]}}
    if not module.name.endswith("__main__") and not onnx:
        importlib.import_module(module.name)
from spandrel_aethernet.cli import COMMANDS, main
for command in COMMANDS:
    try:
        main([command.__name__.rpartition(".")[2], "--help"])
    except SystemExit as exit:
        assert exit.code == 0
"""
    output = run_python(code)
    assert output.count("examples:\n") == output.count("usage: aethernet ")
    assert output.count("usage: aethernet ") >= 8


def test_a_missing_optional_package_is_one_sentence_with_the_command_that_helps() -> None:
    code = f"""
import sys
for name in {OPTIONAL!r}:
    sys.modules[name] = None
from spandrel_aethernet.cli import main
from spandrel_aethernet.data import DEMO_MODEL
sys.stderr = sys.stdout
assert main(["export", str(DEMO_MODEL), "-o", "out.onnx"]) == 1
"""
    assert run_python(code) == (
        'aethernet: onnx is not installed here: pip install "spandrel-aethernet[onnx]"\n'
    )
