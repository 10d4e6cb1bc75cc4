# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed, what is missing, and what helps."""

from __future__ import annotations

from typing import Any

from .needs import can_be_met, check_chainner, unmet_needs
from .packages import MODELS, our_packages
from .places import Chainner
from .python import InstallError, Python
from .state import State, look

_SHOWN = {
    "torch": ("torch",),
    "spandrel": ("spandrel",),
    "onnx": ("onnx",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
    "tensorrt": ("tensorrt", "tensorrt-cu12", "tensorrt-cu13"),
    "tensorrt_rtx": ("tensorrt-rtx-cu13", "tensorrt-rtx"),
    "numpy": ("numpy",),
    "pyvips": ("pyvips",),
    "rich": ("rich",),
    "scikit-image": ("scikit-image",),
}


def status(python: Python, chainner: Chainner, *, system: bool) -> dict[str, Any]:
    """Return all that is known as one JSON document; `ok` says whether all nodes can load."""
    state = look(python)
    missing = _missing(python)
    problem = _problem(python, state)
    lacking = any(item["nodes"] and item["possible"] for item in missing)
    return {
        "chainner": str(chainner.root),
        "source": chainner.source and str(chainner.source),
        "python": {"executable": str(python.executable), "version": python.version, "system": system},
        "version": state.version,
        "way": state.way,
        "copies": [str(state.copy)] if state.copy else [],
        "current": state.is_current,
        "problem": problem,
        "packages": _versions(python),
        "missing": missing,
        "ok": state.way is not None and problem is None and not lacking,
    }


def lines(document: dict[str, Any]) -> list[str]:
    """Return a status as lines for people."""
    python, packages = document["python"], document["packages"]
    whose = ", the system's, as chaiNNer's settings say" if python["system"] else ""
    told = [
        f"chaiNNer   {document['chainner']}",
        f"Python     {python['version']}, {python['executable']}{whose}",
        f"nodes      {_nodes(document)}",
        _packages_line(packages),
    ]
    told += [f"problem    {document['problem']}"] if document["problem"] else []
    told += _missing_lines(document["missing"])
    return [*told, "all nodes can load" if document["ok"] else "not all nodes can load"]


def package_lines(python: Python) -> list[str]:
    """Return lines on what is installed and what is missing."""
    return [_packages_line(_versions(python)), *_missing_lines(_missing(python))]


def _versions(python: Python) -> dict[str, str | None]:
    return {name: python.version_of(*spellings) for name, spellings in _SHOWN.items()}


def _missing(python: Python) -> list[dict[str, Any]]:
    return [
        {
            "name": need.name,
            "minimum": need.minimum,
            "found": python.version_of(*need.distributions),
            "nodes": list(need.nodes),
            "for": need.node_names(),
            "possible": can_be_met(need, python),
            "remedy": need.remedy,
        }
        for need in unmet_needs(python)
    ]


def _packages_line(versions: dict[str, str | None]) -> str:
    return "packages   " + ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def _missing_lines(missing: list[dict[str, Any]]) -> list[str]:
    return [
        f"missing    {item['name']}"
        + (f" {item['minimum']} or newer" if item["minimum"] else "")
        + (f", for {item['for']}" if item["nodes"] else "")
        + f": {item['remedy'] if item['possible'] else 'there is none for this machine'}"
        for item in missing
    ]


def _nodes(document: dict[str, Any]) -> str:
    way, version = document["way"], document["version"]
    if way is None:
        return "not installed: run python -m chainner_nodes install"
    text = f"{version}, by the boot line"
    if document["current"]:
        return text
    return (
        f"{text}; this copy of the project is {our_packages()[MODELS].version} and differs: run install again"
    )


def _problem(python: Python, state: State) -> str | None:
    try:
        check_chainner(python)
    except InstallError as error:
        return str(error)
    if state.copy is not None:
        return f"an earlier version's nodes are in the way in {state.copy}: run uninstall, then install"
    if state.way is not None and not python.booted:
        return f"the boot line in {python.site} does not work: run install again"
    return None
