"""TensorRT for RTX and classic TensorRT behind one face: they share names, but not all of them."""

from __future__ import annotations

import importlib
import platform
import re
import sys
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import EngineError, check_choice

RuntimeName = Literal["rtx", "tensorrt"]
RUNTIMES = ("auto", "rtx", "tensorrt")
TITLES: dict[RuntimeName, str] = {"rtx": "TensorRT for RTX", "tensorrt": "TensorRT"}
WHEELS: dict[RuntimeName, str] = {"rtx": "tensorrt-rtx-cu13", "tensorrt": "tensorrt"}
_MODULES: dict[RuntimeName, str] = {"rtx": "tensorrt_rtx", "tensorrt": "tensorrt"}


@dataclass(frozen=True)
class Runtime:
    """An installed TensorRT."""

    name: RuntimeName
    module: Any
    """`tensorrt_rtx` or `tensorrt`; what one lacks of the other is looked up by name."""
    version: str

    @property
    def title(self) -> str:
        """Name and version for a person to read."""
        return f"{TITLES[self.name]} {self.version}"

    @property
    def strongly_typed(self) -> int:
        """The flags of a network whose types are those of its ONNX model and Q/DQ nodes.

        The flag has the value 1 in TensorRT 10, and 0 in 11 and in TensorRT for RTX.
        """
        return 1 << int(self.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)

    def capabilities(self) -> dict[str, Any]:
        """Return TensorRT's value for each compute capability (`8.6`) that can be built for without a GPU.

        Empty for classic TensorRT, which builds for the GPU that it runs on.
        """
        values = getattr(self.module, "ComputeCapability", None)
        named: dict[str, Any] = values.__members__ if values else {}
        matches = {re.fullmatch(r"SM(\d+)(\d)", name): value for name, value in named.items()}
        return {f"{match[1]}.{match[2]}": value for match, value in matches.items() if match}


def find_runtime(name: str = "auto") -> Runtime:
    """Import TensorRT for RTX (`rtx`), classic TensorRT (`tensorrt`), or the first of both that is there.

    Raises `ArgumentError` for any other name, and `EngineError`, with the command that installs it, if it is
    not installed.
    """
    check_choice("runtime", name, RUNTIMES)
    wanted: list[RuntimeName] = [known for known in _MODULES if name in ("auto", known)]
    broken: list[str] = []
    for known in wanted:
        try:
            module = importlib.import_module(_MODULES[known])
        except ModuleNotFoundError:
            continue
        except (ImportError, OSError, RuntimeError) as error:  # its libraries do not load
            broken.append(f"{_MODULES[known]} cannot be loaded: {error}")
            continue
        if hasattr(module, "Builder"):  # a folder with nothing but type stubs can be imported, too
            return Runtime(known, module, str(module.__version__))
    titles = " or ".join(TITLES[known] for known in wanted)
    reasons = f" ({'; '.join(broken)})" if broken else ""
    raise EngineError(
        f'{titles} is not installed here{reasons}: pip install "spandrel-aethernet[{wanted[0]}]"'
        + ("" if wanted[0] != "rtx" or _has_rtx_wheels() else ", on x86-64 Linux or Windows")
    )


def _has_rtx_wheels() -> bool:
    return sys.platform in ("linux", "win32") and platform.machine().lower() in ("x86_64", "amd64")


def version_problem(name: RuntimeName, version: str) -> str | None:
    """Say why an engine of that TensorRT version cannot run with what is installed; None if it can.

    Engines run with the very version that built them, in both runtimes
    (docs.nvidia.com/deeplearning/tensorrt-rtx, inference-library/engine-compatibility).
    """
    install = f"pip install {WHEELS[name]}=={version}"
    try:
        found = find_runtime(name)
    except EngineError:
        return f"{TITLES[name]} {version} built it and is not installed here: {install}"
    if found.version == version:
        return None
    return f"{TITLES[name]} {version} built it and {found.version} is installed: build it again, or {install}"
