"""Where chaiNNer's Python and code are looked for, on all three platforms."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from chainner_nodes.installer.places import find_chainner
from chainner_nodes.installer.python import InstallError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folders are made of links")

ROOTS = {
    "linux": ".config/chaiNNer",
    "darwin": "Library/Application Support/chaiNNer",
    "win32": "AppData/Roaming/chaiNNer",
}
PYTHONS = {
    "linux": "python/python/bin/python3.11",
    "darwin": "python/python/bin/python3.11",
    "win32": "python/python/python.exe",
}
APPS = {
    "darwin": "Applications/chaiNNer.app/Contents/Resources/src",
    "win32": "AppData/Local/chaiNNer/app-0.25.10/resources/src",
}


@pytest.fixture(params=sorted(ROOTS))
def platform(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def make_python(root: Path, platform: str) -> Path:
    executable = root / PYTHONS[platform]
    executable.parent.mkdir(parents=True)
    executable.symlink_to(sys.executable)
    return executable


def make_source(folder: Path) -> Path:
    (folder / "packages" / "chaiNNer_pytorch").mkdir(parents=True)
    (folder / "api").mkdir()
    (folder / "api" / "api.py").touch()
    return folder


def test_the_integrated_python_is_found(home: Path, platform: str) -> None:
    executable = make_python(home / ROOTS[platform], platform)
    python, system = find_chainner(None, platform).find_python(platform)
    assert (python.executable, system) == (executable, False)


@pytest.mark.parametrize(
    ("platform", "variable"), [("linux", "XDG_CONFIG_HOME"), ("win32", "APPDATA")], ids=["linux", "win32"]
)
def test_the_data_folder_follows_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch, platform: str, variable: str
) -> None:
    monkeypatch.setenv(variable, str(home / "moved"))
    assert find_chainner(None, platform).root == home / "moved" / "chaiNNer"


def test_without_a_chainner_it_is_said_what_to_do(home: Path, platform: str) -> None:
    with pytest.raises(InstallError) as raised:
        find_chainner(None, platform).find_python(platform)
    folder = home / ROOTS[platform] / "python"
    assert str(raised.value) == (
        f"chaiNNer's Python is not in {folder}: start chaiNNer once, which puts it there, "
        "or give chaiNNer's folder with --chainner or its Python with --python"
    )


def test_a_data_folder_can_be_given(home: Path, platform: str) -> None:
    executable = make_python(home / "data", platform)
    assert find_chainner(home / "data", platform).find_python(platform)[0].executable == executable


def test_a_portable_chainner_has_everything_in_one_folder(home: Path, platform: str) -> None:
    (home / "unpacked").mkdir()
    (home / "unpacked" / "portable").touch()
    source = make_source(home / "unpacked" / "resources" / "src")
    chainner = find_chainner(home / "unpacked", platform)
    assert (chainner.root, chainner.source) == (home / "unpacked", source)


@pytest.mark.parametrize("given", ["checkout", "checkout/backend/src"])
def test_a_checkout_runs_on_the_python_in_the_data_folder(home: Path, given: str) -> None:
    source = make_source(home / "checkout" / "backend" / "src")
    chainner = find_chainner(home / given, "linux")
    assert (chainner.root, chainner.source) == (home / ROOTS["linux"], source)


@pytest.mark.parametrize("platform", sorted(APPS))
def test_the_installed_app_is_found(home: Path, platform: str) -> None:
    make_source(home / APPS[platform].replace("0.25.10", "0.25.9"))
    if platform == "win32":
        make_source(home / APPS[platform])
    assert find_chainner(None, platform).source == home / APPS[platform]


def test_another_folder_is_refused(home: Path) -> None:
    with pytest.raises(
        InstallError, match=rf"^{home} is no chaiNNer: give its data folder \(usually .*chaiNNer\)"
    ):
        find_chainner(home, "linux")


def test_the_systems_python_is_used_if_the_settings_say_so(home: Path, platform: str) -> None:
    make_python(home / ROOTS[platform], platform)
    settings = {"useSystemPython": True, "systemPythonLocation": sys.executable}
    (home / ROOTS[platform] / "settings.json").write_text(json.dumps(settings))
    python, system = find_chainner(None, platform).find_python(platform)
    assert (str(python.executable), system) == (sys.executable, True)


def test_a_system_python_that_is_gone_is_passed_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable = make_python(home / ROOTS["linux"], "linux")
    settings = {"useSystemPython": True, "systemPythonLocation": str(home / "gone")}
    (home / ROOTS["linux"] / "settings.json").write_text(json.dumps(settings))
    monkeypatch.setenv("PATH", str(home))
    python, system = find_chainner(None, "linux").find_python("linux")
    assert (python.executable, system) == (executable, False)


def test_settings_that_cannot_be_read_are_named(home: Path) -> None:
    make_python(home / ROOTS["linux"], "linux")
    settings = home / ROOTS["linux"] / "settings.json"
    settings.write_text("{")
    with pytest.raises(
        InstallError, match=rf"^{settings} cannot be read: .*\. Name the Python with --python$"
    ):
        find_chainner(None, "linux").find_python("linux")


def test_a_newer_integrated_python_is_taken(home: Path) -> None:
    make_python(home, "linux")
    newer = home / "python" / "python" / "bin" / "python3.12"
    newer.symlink_to(sys.executable)
    assert find_chainner(home, "linux").find_python("linux")[0].executable == newer
