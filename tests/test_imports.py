"""What importing costs, what the root offers, who may import whom, and that nothing optional is needed."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import spandrel_aethernet
from spandrel_aethernet.errors import AetherError

OPTIONAL = (
    "av",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "openvino",
    "ray",
    "skimage",
    "tensorrt",
    "tensorrt_rtx",
    "watchfiles",
)
PACKAGE = Path(spandrel_aethernet.__file__).parent

FOUNDATION = {"errors", "precision", "shapes", "progress", "partials", "interpreter", "files", "data", "gate"}
ARROWS = {name: {"errors"} for name in FOUNDATION} | {
    "files": {"errors", "partials"},
    "model": FOUNDATION,
    "images": FOUNDATION,
    "onnx_model": FOUNDATION,
    "lint": FOUNDATION | {"onnx_model"},
    "onnx_export": FOUNDATION | {"model", "images", "onnx_model"},
    "engines": FOUNDATION | {"model", "onnx_model", "lint", "onnx_export"},
    "inference": FOUNDATION | {"model", "images", "onnx_model", "engines"},
    "video": FOUNDATION | {"images", "inference"},
    "workers": FOUNDATION | {"model", "images", "engines", "inference", "video"},
    "evaluation": FOUNDATION | {"model", "images", "onnx_model", "inference", "video"},
}
ARROWS["release"] = {*ARROWS}
ARROWS["__init__"] = {*ARROWS}
ARROWS["cli"] = {*ARROWS} - {"__init__"}
ARROWS["__main__"] = {"cli"}
"""Who may import whom: nothing up, nothing sideways. Folders may import of their own, and all the version."""

FOREIGN = {
    "torch": {
        "model",
        "images",
        "onnx_export",
        "inference",
        "video",
        "workers",
        "evaluation",
        "release",
        "cli",
    },
    "spandrel": {"model", "inference", "evaluation"},
    "onnx": {"onnx_model", "lint", "onnx_export", "engines", "inference", "release"},
    "onnxruntime": {"onnx_export", "inference"},
    "onnxscript": {"onnx_export"},
    "openvino": {"inference"},
    "tensorrt": {"engines", "inference"},
    "tensorrt_rtx": {"engines", "inference"},
    "skimage": {"evaluation"},
    "matplotlib": {"evaluation"},
    "platformdirs": {"engines"},
    "filelock": {"engines", "video"},
    "av": {"video"},
    "ray": {"workers"},
    "watchfiles": {"inference"},
    "rich": {"cli"},
    "argparse": {"cli"},
}
"""Who may import what else, for type checkers too."""


def run_python(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def is_code(line: str) -> bool:
    """Tell whether a line of a docstring is a statement of Python in which something is called."""
    try:
        return any(isinstance(node, ast.Call) for node in ast.walk(ast.parse(line)))
    except SyntaxError:
        return False


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part(module: Path) -> str:
    """Return the folder or the module at the root of the package that a module belongs to."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(module: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of all that a module imports, for type checkers and in functions too."""
    places = ["spandrel_aethernet", *module.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = places[: len(places) + 1 - node.level] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{name}.{alias.name}") for alias in node.names)


NAMES = pytest.mark.parametrize("name", spandrel_aethernet.__all__)
MODULES = pytest.mark.parametrize("module", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))


@MODULES
def test_nothing_is_imported_up_or_sideways(module: Path) -> None:
    own = part(module)
    allowed = ARROWS[own] | {"__version__"} | ({own} if module.parent != PACKAGE else set[str]())
    wrong = [
        f"line {line}: {name}"
        for line, name in imported(module)
        if name.startswith("spandrel_aethernet.") and name.split(".")[1] not in allowed
    ]
    assert wrong == []


@MODULES
def test_what_is_heavy_or_optional_is_imported_where_it_belongs(module: Path) -> None:
    wrong = [
        f"line {line}: {name}"
        for line, name in imported(module)
        if part(module) not in FOREIGN.get(name.partition(".")[0], ARROWS)
    ]
    assert wrong == []


def test_the_table_of_arrows_turns_in_no_circle_and_names_what_there_is() -> None:
    assert {part(module) for module in modules()} == {*ARROWS}
    below: set[str] = set()
    while found := {name for name in {*ARROWS} - below if ARROWS[name] - {name} <= below}:
        below |= found
    assert below == {*ARROWS}


def test_importing_the_package_imports_nothing_else() -> None:
    code = """
import sys
before = set(sys.modules)
import spandrel_aethernet
print(*{name for name in set(sys.modules) - before if name.partition(".")[0] not in sys.stdlib_module_names})
dir(spandrel_aethernet), spandrel_aethernet.__version__
print(*{"torch", "spandrel", "numpy"} & set(sys.modules))
"""
    assert run_python(code) == "spandrel_aethernet\n\n"


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from spandrel_aethernet.cli import main
try:
    main(["--help"])
except SystemExit as exit:
    assert exit.code == 0
print(*sorted({"torch", "spandrel", "numpy", "pyvips", "onnx", "safetensors", "PIL"} & set(sys.modules)))
"""
    output = run_python(code)
    assert output.startswith("usage: aethernet ")
    assert output.splitlines()[-1] == ""


@NAMES
def test_every_public_name_is_shown_and_found(name: str) -> None:
    assert name in dir(spandrel_aethernet)
    value = getattr(spandrel_aethernet, name)
    assert value is getattr(spandrel_aethernet, name)
    home = inspect.getmodule(value)
    assert home is not None
    assert home.__name__.startswith("spandrel_aethernet.") or name == "AETHERNET_REGISTRY"


def test_a_name_that_is_not_there_is_missed_as_usual() -> None:
    with pytest.raises(AttributeError, match="'spandrel_aethernet' has no attribute 'exports'"):
        _ = spandrel_aethernet.exports  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]


def test_type_checkers_see_the_names_where_they_are_loaded_from() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    seen = {
        alias.name: f"spandrel_aethernet.{node.module}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    del seen["missing_extras"]
    assert sorted(seen) == sorted(spandrel_aethernet.__all__)
    for name, module in seen.items():
        assert getattr(importlib.import_module(module), name) is getattr(spandrel_aethernet, name)


@NAMES
def test_every_public_name_tells_what_it_raises_and_shows_an_example(name: str) -> None:
    value = getattr(spandrel_aethernet, name)
    if name == "AETHERNET_REGISTRY" or (inspect.isclass(value) and issubclass(value, AetherError)):
        return  # used as every registry and every exception is
    text = value.__doc__ or ""
    assert any(is_code(line.strip().removeprefix(">>> ")) for line in text.splitlines()), text
    assert inspect.isclass(value) or name == "install" or "raises" in text.lower()


def test_examples_with_answers_are_true() -> None:
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    for name in spandrel_aethernet.__all__:
        value = getattr(spandrel_aethernet, name)
        for test in finder.find(value, name, globs={**vars(spandrel_aethernet), name: value}):
            runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
    assert runner.summarize(verbose=False).attempted > 0


def test_every_error_is_an_aethernet_error_and_public() -> None:
    errors = importlib.import_module("spandrel_aethernet.errors")
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, AetherError)
    }
    assert classes <= {*spandrel_aethernet.__all__}


@pytest.fixture(scope="module")
def without_optional_packages() -> list[str]:
    """What a Python without the optional packages prints: every module imported, then help, then refusals."""
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
    onnx = {{"onnx_model", "lint", "onnx_export", "release"}} & {{*module.name.split(".")[:-1]}}
    if not module.name.endswith("__main__") and not onnx:
        importlib.import_module(module.name)
from spandrel_aethernet.cli import COMMANDS, main
for command in COMMANDS:
    try:
        main([command, "--help"])
    except SystemExit as exit:
        assert exit.code == 0
print("PART")
print(*(support.architecture.id for support in spandrel.MAIN_REGISTRY))
print("PART")
try:
    spandrel_aethernet.export_onnx
except spandrel_aethernet.MissingPackageError as error:
    print(error)
print("PART")
sys.stderr = sys.stdout
from spandrel_aethernet.data import DEMO_MODEL
print(main(["export", str(DEMO_MODEL), "-o", "out.onnx"]))
"""
    return run_python(code).split("PART\n")


@pytest.mark.slow
def test_every_module_and_every_help_works_without_optional_packages(
    without_optional_packages: list[str],
) -> None:
    helps = without_optional_packages[0]
    assert helps.count("examples:\n") == helps.count("usage: aethernet ")
    assert helps.count("usage: aethernet ") >= 8


@pytest.mark.slow
def test_only_install_registers(without_optional_packages: list[str]) -> None:
    registered = without_optional_packages[1].split()
    assert "ESRGAN" in registered
    assert "AetherNet" not in registered


@pytest.mark.slow
def test_a_missing_optional_package_is_one_sentence_with_the_command_that_helps(
    without_optional_packages: list[str],
) -> None:
    sentence = 'onnx is not installed here: pip install "spandrel-aethernet[onnx]"\n'
    assert without_optional_packages[2:] == [sentence, f"aethernet: {sentence}1\n"]
