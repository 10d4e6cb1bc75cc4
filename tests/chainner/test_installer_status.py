"""`python -m chainner_nodes status`, and the wheels that it compares with."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from chainner_nodes.installer.packages import MODELS, NODES, our_packages
from chainner_nodes.installer.places import Chainner
from chainner_nodes.installer.python import ask
from chainner_nodes.installer.status import lines
from chainner_nodes.installer.status import status as describe
from chainner_nodes.installer.wheel import make_wheel

from .installer_cases import ADDED, PINS, REPOSITORY, Place, add_copy
from .installer_templates import complete_place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folders are made of links")


@pytest.fixture
def installed(tmp_path: Path) -> Place:
    """chaiNNer with everything that our nodes need, TensorRT too, and our nodes."""
    place = complete_place(tmp_path, with_nodes=True)
    place.add("tensorrt_rtx_cu13", "1.7.1.116")
    return place


def status(place: Place) -> tuple[int, dict[str, Any]]:
    result = place.run("status", "--json")
    assert result.err == ""
    return result.code, json.loads(result.out)


def test_all_nodes_can_load(installed: Place) -> None:
    code, document = status(installed)
    assert (code, document["way"], document["current"], document["missing"]) == (0, "boot", True, [])
    assert document["packages"] == {
        "torch": PINS["torch"],
        "spandrel": PINS["spandrel"],
        "onnx": PINS["onnx"],
        "onnxruntime": PINS["onnxruntime-gpu"],
        "tensorrt": None,
        "tensorrt_rtx": "1.7.1.116",
        "numpy": PINS["numpy"],
        "pyvips": ADDED["pyvips"],
        "rich": ADDED["rich"],
        "scikit-image": ADDED["scikit-image"],
    }


def test_nothing_is_installed(tmp_path: Path) -> None:
    place = complete_place(tmp_path)
    code, document = status(place)
    assert (code, document["way"], document["version"]) == (1, None, None)
    assert "nodes      not installed: run python -m chainner_nodes install\n" in place.run("status").out


def test_a_copy_that_an_earlier_version_made_is_told(installed: Place) -> None:
    copy = add_copy(installed)
    code, document = status(installed)
    assert (code, document["copies"], document["current"]) == (1, [str(copy)], False)
    sentence = f"an earlier version's nodes are in the way in {copy}: run uninstall, then install"
    assert document["problem"] == sentence


def test_what_is_missing_comes_with_its_nodes_and_a_remedy(installed: Place) -> None:
    shutil.rmtree(next(installed.site.glob("onnx-*")))
    code, document = status(installed)
    assert (code, [item["name"] for item in document["missing"]]) == (1, ["ONNX"])
    line = next(line for line in installed.run("status").out.splitlines() if line.startswith("missing"))
    assert re.fullmatch(
        r"missing    ONNX 1.16 or newer, for (.*): install ONNX in chaiNNer's dependency manager", line
    )


def test_a_version_that_is_too_old_counts_as_missing(installed: Place) -> None:
    shutil.rmtree(next(installed.site.glob("onnx-*")))
    installed.add("onnx", "1.15.0")
    _, document = status(installed)
    assert [(item["name"], item["found"]) for item in document["missing"]] == [("ONNX", "1.15.0")]


def test_what_no_node_needs_is_told_but_no_failure(installed: Place) -> None:
    shutil.rmtree(next(installed.site.glob("rich-*")))
    code, document = status(installed)
    assert (code, [item["name"] for item in document["missing"]]) == (0, ["rich"])


def test_a_newer_pytorch_needs_onnxscript(installed: Place) -> None:
    shutil.rmtree(next(installed.site.glob("torch-*")))
    installed.add("torch", "2.9.0")
    code, document = status(installed)
    assert (code, [item["name"] for item in document["missing"]]) == (1, ["onnxscript"])


def test_a_boot_line_that_was_changed_is_told(installed: Place) -> None:
    installed.write(installed.site / "chainner_aethernet.pth", "import this_is_not_there")
    code, document = status(installed)
    assert (code, document["current"]) == (1, False)
    assert document["problem"] == f"the boot line in {installed.site} does not work: run install again"


def test_an_older_version_is_told(installed: Place) -> None:
    installed.write(installed.site / "chainner_nodes" / "_boot.py", "import sys")
    assert re.search("nodes .* differs: run install again\n", installed.run("status").out)


def test_tensorrt_is_not_missed_where_there_is_none(installed: Place) -> None:
    shutil.rmtree(next(installed.site.glob("tensorrt_rtx_cu13-*")))
    mac = replace(ask(installed.python), platform="darwin", machine="arm64")
    document = describe(mac, Chainner(installed.root, None), system=False)
    assert (document["ok"], document["missing"][0]["possible"]) == (True, False)
    assert lines(document)[-2].endswith(": there is none for this machine")


@pytest.fixture(params=[MODELS, NODES])
def wheel(request: pytest.FixtureRequest, tmp_path: Path) -> ZipFile:
    return ZipFile(make_wheel(our_packages()[request.param], tmp_path))


def metadata(wheel: ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    return message_from_bytes(wheel.read(name))


def test_a_wheel_holds_its_package_and_its_licences(wheel: ZipFile) -> None:
    fields = metadata(wheel)
    licences = {"MIT": "LICENSE", "GPL-3.0-or-later": "chainner_nodes/LICENSE"}
    text = (REPOSITORY / licences[fields["License-Expression"]]).read_bytes()
    info = next(name for name in wheel.namelist() if name.endswith("/METADATA")).removesuffix("METADATA")
    assert wheel.read(f"{info}licenses/LICENSE") == text
    assert {f"{info}licenses/{name}" for name in fields.get_all("License-File", [])} <= set(wheel.namelist())
    assert not [name for name in wheel.namelist() if "__pycache__" in name or "typings" in name]


def test_the_models_bring_their_data_and_ask_for_what_the_project_asks_for(tmp_path: Path) -> None:
    wheel = ZipFile(make_wheel(our_packages()[MODELS], tmp_path))
    assert "spandrel_aethernet/data/aether_small_2x_qat_notfused.pth" in wheel.namelist()
    project = (REPOSITORY / "pyproject.toml").read_text()
    dependencies = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert dependencies is not None
    assert metadata(wheel).get_all("Requires-Dist") == re.findall(r'"(.*)"', dependencies[1])
