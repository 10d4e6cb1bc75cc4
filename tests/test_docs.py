"""The commands and examples of README and docs, run as they stand."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spandrel_aethernet.images.files import Picture, write_picture

from .artifacts import Artifacts
from .conftest import Result
from .images.pictures import photograph
from .video.clips import Clip, make_clip

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ELSEWHERE = re.compile("aethernet (demo|release)|--(watch|workers|ray|device)")
"""What tests of their own run: it takes long, never ends, or needs more than one machine."""


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for found, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if found == language:
                yield page, text


def commands() -> list[tuple[str, str]]:
    """Every command with the first page it stands on."""
    lines = [(page.name, line) for page, text in blocks("sh") for line in text.splitlines() if line.strip()]
    found: dict[str, str] = {}
    for page, line in lines:
        for part in line.partition(" #")[0].split(" && "):
            found.setdefault(part.strip(), page)
    return [(page, command) for command, page in found.items()]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, artifacts: Artifacts) -> Path:
    """A folder with the files that the pages speak of, each a small one."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(artifacts.tiny, folder / "aether_small_2x.pth")
    for precision in ("fp32", "fp32-int8", "fp16-int8"):
        made = artifacts.onnx(precision)
        shutil.copy(made, folder / made.name.replace("tiny", "aether_small_2x"))
    (folder / "photos").mkdir()
    write_picture(Picture(photograph(48, 64)), folder / "photo.png")
    write_picture(Picture(photograph(48, 64)), folder / "photos" / "photo.png")
    make_clip(folder / "clip.mkv", Clip(frames=5, size=(32, 24)))
    return folder


def ours() -> Iterator[Any]:
    """Yield every command of ours."""
    for page, command in commands():
        if command.startswith("aethernet "):
            slow = page != "README.md" or command.startswith("aethernet benchmark")
            yield pytest.param(page, command, marks=[pytest.mark.slow] * slow)


def examples() -> Iterator[Any]:
    """Yield every example in Python."""
    for page, code in blocks("python"):
        yield pytest.param(page, code, marks=[pytest.mark.slow] * (page.name != "README.md"))


@pytest.mark.parametrize(("page", "command"), [*ours()])
def test_commands_of_ours(
    page: str,
    command: str,
    user: Path,
    aethernet: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if ELSEWHERE.search(command):
        pytest.skip("a test of its own runs it")
    words = shlex.split(command)[1:]
    if words[0] == "engine" and not find_spec("tensorrt_rtx"):
        pytest.skip("TensorRT for RTX is not installed")
    monkeypatch.chdir(user)
    if words[:1] == ["info"] and not Path(words[1]).exists():
        pytest.skip("its engine was not built before")
    if "-o" in words or "-m" in words or words[0] in ("export", "fuse", "engine", "upscale"):
        words.append("--force")
    if words[0] == "benchmark":  # sizes that a person would wait for
        words = [*words[: words.index("--sizes")], "--sizes", "32", "--repeats", "1"]
    result = aethernet(*words)
    assert result.code == 0, f"{page}: {command}: {result.err}"


@pytest.mark.parametrize(("page", "command"), [one for one in commands() if "aethernet " not in one[1][:10]])
def test_commands_that_set_up(page: str, command: str) -> None:
    """They name what is there: extras of pyproject.toml, modules, scripts, test folders."""
    words = shlex.split(command)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extras in re.findall(r"\.\[([\w,]+)\]", command) + re.findall(r"--extra (\w+)", command):
        for extra in extras.split(","):
            assert re.search(rf"^{extra} = \[", pyproject, re.MULTILINE), f"{page}: {command}"
    if words[0].startswith(".ci/"):
        assert (ROOT / words[0]).is_file(), f"{page}: {command}"
    elif "chainner_nodes" in words:
        assert (ROOT / "chainner_nodes" / "__main__.py").is_file(), f"{page}: {command}"
    else:
        assert words[0] in ("python", "pip", "git"), f"{page}: {command}"
    for word in words:
        if word.startswith("tests/"):
            assert (ROOT / word).exists(), f"{page}: {command}"


def test_ci_runs_the_command_of_the_readme() -> None:
    line = next(command for page, command in commands() if page == "README.md" and "pytest" in command)
    assert line.removeprefix("python -m ") in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize(("page", "code"), [*examples()])
def test_examples(page: Path, code: str, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "build_engine(" in code and not find_spec("tensorrt_rtx"):
        pytest.skip("TensorRT for RTX is not installed")
    if "make_release(" in code or "tritonclient" in code:
        pytest.skip("a test of its own runs it")
    monkeypatch.chdir(user)
    monkeypatch.setattr(sys, "argv", ["example"])
    if "except OutputError" not in code:
        for name in re.findall(r'"(\w+\.(?:onnx|engine)|\w+_release)"', code):
            shutil.rmtree(name, ignore_errors=True)
            for path in (Path(name), Path(f"{name}.json")):
                path.unlink(missing_ok=True)
    image = np.zeros((48, 64, 3), np.uint8)
    exec(compile(code, str(page), "exec"), {"Path": Path, "image": image, "__name__": "example"})  # noqa: S102
