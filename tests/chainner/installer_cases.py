"""chaiNNer's data folder with a real Python in it, the installer run on it, and wheels for pip to find."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple
from zipfile import ZipFile

REPOSITORY = Path(__file__).parents[2]
PINS = {
    "sanic": "23.3.0",
    "numpy": "1.24.4",
    "Pillow": "9.2.0",
    "scipy": "1.9.3",
    "typing_extensions": "4.15.0",
    "safetensors": "0.4.0",
    "torch": "2.7.0+cu126",
    "spandrel": "0.4.1",
    "onnx": "1.16.0",
    "onnxruntime-gpu": "1.17.1",
}
"""What chaiNNer installs, as far as the installer looks at it."""
ADDED = {
    "rich": "14.0.0",
    "platformdirs": "4.3.0",
    "pyvips": "3.0.0",
    "pyvips-binary": "8.17.0",
    "scikit-image": "0.24.0",
}
"""What our nodes need beyond that."""


class Result(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


class Place:
    """A folder with a chaiNNer's data folder, in it a Python of its own, and chaiNNer's code.

    Its files are links to those of a template: `write` to change one, or remove it first.
    """

    def __init__(self, folder: Path, template: Path) -> None:
        shutil.copytree(template, folder, symlinks=True, copy_function=os.link, dirs_exist_ok=True)
        self.folder, self.root, self.index = folder, folder / "config" / "chaiNNer", folder / "index"
        (self.site,) = (self.root / "python" / "python").glob("lib/python*/site-packages")
        self.python = self.site.parents[2] / "bin" / self.site.parent.name
        self.source = folder / "app" / "resources" / "src"
        # This folder is all that there is for this user, and for pip.
        self.environment = {
            **os.environ,
            **dict.fromkeys(("HOME", "USERPROFILE"), str(folder)),
            **dict.fromkeys(("XDG_CONFIG_HOME", "APPDATA"), str(self.root.parent)),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def write(self, path: Path, text: str) -> None:
        """Write a file anew, so that no other place has it too."""
        path.unlink(missing_ok=True)
        path.write_text(text)

    def add(self, name: str, version: str, *requires: str) -> None:
        """Have a distribution installed: what pip and importlib.metadata know of it, without its modules."""
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(_metadata(name, version, requires))
        (info / "RECORD").write_text(f"{info.name}/METADATA,,\n{info.name}/RECORD,,\n")

    def publish(self, name: str, version: str, *requires: str, other: str | None = None) -> None:
        """Let pip find a wheel with a package of that name in it, and one more file if asked for.

        `x; extra == "y"` makes an extra.
        """
        stem = f"{name.replace('-', '_')}-{version}"
        contents = {
            f"{name.replace('-', '_')}/__init__.py": "",
            f"{stem}.dist-info/METADATA": _metadata(name, version, requires),
            f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        if other is not None:
            contents[other] = ""
        record = "".join(f"{entry},,\n" for entry in (*contents, f"{stem}.dist-info/RECORD"))
        with ZipFile(self.index / f"{stem}-py3-none-any.whl", "w") as wheel:
            for entry, text in {**contents, f"{stem}.dist-info/RECORD": record}.items():
                wheel.writestr(entry, text)

    def publish_all(self) -> None:
        """Let pip find all that our nodes need, the newest of it not for chaiNNer's numpy."""
        self.publish("rich", "14.0.0", "markdown-it-py>=2.2")
        self.publish("markdown-it-py", "3.0.0")
        self.publish("platformdirs", "4.3.0")
        self.publish("pyvips", "3.0.0", 'pyvips-binary; extra == "binary"')
        self.publish("pyvips-binary", "8.17.0")
        self.publish("numpy", "2.3.0")
        self.publish("scikit-image", "0.24.0", "numpy>=1.23")
        self.publish("scikit-image", "0.26.0", "numpy>=2")

    def run(
        self, *arguments: str | Path, python: str | Path = sys.executable, cwd: Path | None = None
    ) -> Result:
        """Run `python -m chainner_nodes`, by default that of `small_clone`."""
        result = subprocess.run(
            [str(python), "-m", "chainner_nodes", *map(str, arguments)],
            cwd=cwd or small_clone(),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(result.returncode, result.stdout, result.stderr)

    def install(self, *arguments: str | Path, cwd: Path | None = None) -> None:
        """Run an installation that must go well."""
        result = self.run("install", *arguments, cwd=cwd)
        assert result.code == 0, result.err

    def ask(self, code: str) -> str:
        """Run code in chaiNNer's Python and return what it prints, to stderr too."""
        return subprocess.run(
            [self.python, "-c", code],
            env=self.environment,
            cwd=self.folder,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ).stdout

    def tree(self) -> dict[str, bytes]:
        """Return all of chaiNNer's files, and its folders as empty ones, but what Python keeps of modules."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else b""
            for top in ("config", "app")
            for path in (self.folder / top).rglob("*")
            if "__pycache__" not in path.parts
        }


def _metadata(name: str, version: str, requires: Collection[str]) -> str:
    extras = {requirement.split('"')[1] for requirement in requires if "extra ==" in requirement}
    fields = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Provides-Extra: {extra}" for extra in extras),
        *(f"Requires-Dist: {requirement}" for requirement in requires),
    ]
    return "".join(f"{field}\n" for field in fields)


def add_copy(place: Place) -> Path:
    """Leave what earlier versions could do: the nodes copied into chaiNNer's code, told in the receipt."""
    copy = place.source / "packages" / "chaiNNer_pytorch" / "aethernet"
    shutil.copytree(REPOSITORY / "chainner_nodes" / "aethernet", copy)
    receipt = place.site / "chainner_aethernet.json"
    place.write(receipt, json.dumps(json.loads(receipt.read_text()) | {"copy": str(copy)}))
    return copy


def make_clone(folder: Path, version: str | None = None) -> Path:
    """Copy the project, as another version of itself if one is given, but of the models only the surface."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "chainner_nodes", folder / "chainner_nodes", ignore=ignored)
    models = folder / "spandrel_aethernet"
    (models / "data").mkdir(parents=True)
    (models / "data" / "SOURCES.md").touch()
    for module in (REPOSITORY / "spandrel_aethernet").glob("*.py"):
        shutil.copy(module, models)
    if version is not None:
        (models / "__init__.py").write_text(f'__version__ = "{version}"\n')
    shutil.copy(REPOSITORY / "LICENSE", folder)
    return folder


@cache
def small_clone() -> Path:
    """The project as it is, small enough to be installed many times."""
    return make_clone(temporary_folder("clone"))


def temporary_folder(name: str) -> Path:
    """Return a folder that is gone when this process ends."""
    folder = Path(mkdtemp(prefix=f"chainner-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
