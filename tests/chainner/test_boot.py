"""What the boot line brings in: chaiNNer's own `api` with our modules, and nothing in other programs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chainner_nodes.installer.receipt import BOOT_LINE

from .installer_cases import REPOSITORY

PACKAGE = 'from api import add_package\npackage = add_package(__file__, "chaiNNer_aethernet", "x", "x")\n'
NODES = {
    "__init__.py": PACKAGE,
    "good.py": "",
    "without.py": "import not_installed",
    "broken.py": "raise ValueError('broken')",
    "checked.py": "from api.node_check import CheckFailedError\nraise CheckFailedError('types')",
    "_private.py": "",
    "deeper/__init__.py": "",
    "deeper/inner.py": "",
    "deeper/_private/__init__.py": "",
}
LOAD = """
import json, logging, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
before = list(sys.meta_path)
import chainner_nodes._boot
sys.path.insert(0, {source!r})
import api
registry = api.api.PackageRegistry()
api.api.registry = registry
{more}
errors = registry.load_nodes({source!r} + "/server.py")
print(json.dumps({{
    "errors": {{error.module: [error.file, repr(error.error)] for error in errors}},
    "loaded": sorted(name for name in sys.modules if name.startswith("chainner_nodes.aethernet")),
    "packages": [package.id for package in registry.packages.values()],
    "finders": sys.meta_path == before,
    "loader": type(api.api.__spec__.loader).__name__,
}}))
"""


@pytest.fixture
def source(chainner_src: Path, tmp_path: Path) -> Path:
    """chaiNNer's own `api`, where it belongs."""
    folder = tmp_path / "src"
    (folder / "packages" / "chaiNNer_pytorch").mkdir(parents=True)
    shutil.copytree(chainner_src / "backend" / "src" / "api", folder / "api")
    for name in ("logger.py", "navi.py"):
        shutil.copy(chainner_src / "backend" / "src" / name, folder)
    return folder


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    """A folder for `sys.path` with our boot module and a package of small nodes."""
    package = tmp_path / "site" / "chainner_nodes"
    for name, text in NODES.items():
        path = package / "aethernet" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("__init__.py", "_boot.py"):
        shutil.copy(REPOSITORY / "chainner_nodes" / name, package)
    return package.parent


def run(code: str, *paths: Path, start: tuple[str, ...] = ("-I",)) -> list[str]:
    """Run code in a Python that looks into some folders and return the lines it prints."""
    found = f"import sys\nsys.path[:0] = {[str(path) for path in paths]!r}\n"
    result = subprocess.run(
        [sys.executable, "-B", *start, "-c", found + code], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


def load(source: Path, nodes: Path, more: str = "") -> dict[str, Any]:
    return json.loads(run(LOAD.format(source=str(source), more=more), nodes)[-1])


def test_all_modules_but_private_ones_are_loaded(source: Path, nodes: Path) -> None:
    assert load(source, nodes)["loaded"] == [
        "chainner_nodes.aethernet",
        "chainner_nodes.aethernet.deeper",
        "chainner_nodes.aethernet.deeper.inner",
        "chainner_nodes.aethernet.good",
    ]


def test_a_module_that_fails_costs_only_itself_and_chainner_is_told(source: Path, nodes: Path) -> None:
    folder = nodes / "chainner_nodes" / "aethernet"
    assert load(source, nodes)["errors"] == {
        "chainner_nodes.aethernet.without": [
            str(folder / "without.py"),
            "ModuleNotFoundError(\"No module named 'not_installed'\")",
        ],
        "chainner_nodes.aethernet.broken": [str(folder / "broken.py"), "ValueError('broken')"],
        "chainner_nodes.aethernet.checked": [str(folder / "checked.py"), "CheckFailedError('types')"],
    }


def test_a_package_that_is_gone_is_told_to_chainner(source: Path, nodes: Path) -> None:
    shutil.rmtree(nodes / "chainner_nodes" / "aethernet")
    errors = load(source, nodes)["errors"]
    assert errors["chainner_nodes.aethernet"][1].startswith("ModuleNotFoundError(")


def test_nothing_stays_behind_once_the_api_is_there(source: Path, nodes: Path) -> None:
    loaded = load(source, nodes)
    assert (loaded["finders"], loaded["loader"]) == (True, "SourceFileLoader")


def test_nodes_that_are_there_as_a_copy_are_not_loaded_twice(source: Path, nodes: Path) -> None:
    copied = source / "packages" / "chaiNNer_pytorch" / "aethernet"
    shutil.copytree(nodes / "chainner_nodes" / "aethernet", copied)
    for name in ("checked.py", "broken.py", "without.py"):
        (copied / name).unlink()
    own = source / "packages" / "chaiNNer_pytorch" / "__init__.py"
    own.write_text(PACKAGE.replace("aethernet", "pytorch"))
    more = "import packages.chaiNNer_pytorch\nregistry.add(packages.chaiNNer_pytorch.package)"
    loaded = load(source, nodes, more)
    assert (loaded["loaded"], loaded["packages"].count("chaiNNer_aethernet")) == ([], 1)


def test_another_chainner_costs_one_warning(source: Path, nodes: Path) -> None:
    api = source / "api" / "api.py"
    api.write_text(api.read_text().replace("def load_nodes", "def load_all"))
    code = LOAD.format(source=str(source), more="raise SystemExit")
    (warning,) = run(code, nodes)
    assert warning.startswith("AetherNet's nodes are not loaded, as this chaiNNer is not as they expect it: ")


def test_an_api_of_another_program_is_left_alone(nodes: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "api").mkdir(parents=True)
    (tmp_path / "other" / "api" / "__init__.py").touch()
    methods = "    def load_nodes(self): ...\n    def _refresh_nodes(self): ...\n"
    api = f"class LoadErrorInfo: ...\nclass PackageRegistry:\n{methods}"
    (tmp_path / "other" / "api" / "api.py").write_text(api)
    code = """
import chainner_nodes._boot
from api import api
print(type(api.__loader__).__name__, api.PackageRegistry.load_nodes.__module__)
"""
    assert run(code, nodes, tmp_path / "other") == ["SourceFileLoader api.api"]


def test_booting_imports_nothing_that_python_has_not_loaded() -> None:
    code = """
before = set(sys.modules)
import chainner_nodes._boot
print(*sorted(set(sys.modules) - before))
"""
    assert run(code, REPOSITORY, start=("-I", "-S")) == ["__future__ chainner_nodes chainner_nodes._boot"]


@pytest.mark.parametrize("broken", ["absent", "raise ValueError", "import not_installed", "syntax error"])
def test_the_line_is_silent_whatever_has_become_of_the_package(
    nodes: Path, tmp_path: Path, broken: str
) -> None:
    if broken == "absent":
        shutil.rmtree(nodes / "chainner_nodes")
    else:
        (nodes / "chainner_nodes" / "_boot.py").write_text(broken)
    (tmp_path / "site" / "line.pth").write_text(BOOT_LINE)
    assert run(f"import site\nsite.addsitedir({str(nodes)!r})\nprint('started')", nodes) == ["started"]


def test_the_line_leaves_the_package_to_be_found_elsewhere(nodes: Path, tmp_path: Path) -> None:
    (nodes / "line.pth").write_text(BOOT_LINE)
    clone = tmp_path / "clone" / "chainner_nodes"
    clone.mkdir(parents=True)
    (clone / "__init__.py").touch()
    code = f"""
import site
site.addsitedir({str(nodes)!r})
assert "chainner_nodes._boot" in sys.modules
sys.path.insert(0, {str(clone.parent)!r})
import chainner_nodes
print(chainner_nodes.__file__)
"""
    assert run(code) == [str(clone / "__init__.py")]
