# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed here. A node that cannot work is left out as it is imported, and chaiNNer logs why."""

from __future__ import annotations

from importlib.util import find_spec
from types import ModuleType

_MANAGER = "chaiNNer's dependency manager"


def need(*modules: str, remedy: str) -> None:
    """Raise ModuleNotFoundError, which chaiNNer logs beside a node's name, if none of the modules is here."""
    if not any(find_spec(module) for module in modules):
        raise ModuleNotFoundError(f"No module named '{modules[0]}': {remedy}", name=modules[0])


def need_onnx() -> None:
    """Raise ModuleNotFoundError if ONNX or ONNX Runtime is not here."""
    for module in ("onnx", "onnxruntime"):
        need(module, remedy=f"install ONNX in {_MANAGER}")


def need_tensorrt() -> None:
    """Raise ModuleNotFoundError if neither TensorRT is there."""
    need("tensorrt_rtx", "tensorrt", remedy=f"install TensorRT for RTX in {_MANAGER}, under AetherNet")


def for_chainner() -> ModuleType | None:
    """Return `_chainner_tensorrt`, or None where chaiNNer's own TensorRT nodes cannot be."""
    try:
        from . import _chainner_tensorrt
    except ImportError:
        return None
    return _chainner_tensorrt
