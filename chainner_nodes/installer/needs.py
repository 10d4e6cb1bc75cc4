# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes need in chaiNNer's Python, and what may be added to it."""

from __future__ import annotations

from dataclasses import dataclass

from .python import InstallError, Python, version_numbers

_MANAGER = "install {} in chaiNNer's dependency manager"
_INSTALL = "run python -m chainner_nodes install"
NODE_NAMES = {
    "aethernet_info": "AetherNet Info",
    "build_aethernet_engine": "Build AetherNet Engine",
    "calibrate_aethernet": "Calibrate AetherNet",
    "export_aethernet_to_onnx": "Export AetherNet To ONNX",
    "load_aethernet_engine": "Load AetherNet Engine",
    "save_aethernet_release": "Save AetherNet Release",
    "upscale_image_aethernet_engine": "Upscale Image (AetherNet engine)",
}
"""The nodes: their modules, and what the user knows them by."""

_ALL = tuple(NODE_NAMES)
_WITH_IMAGES = tuple(name for name in _ALL if name not in ("aethernet_info", "load_aethernet_engine"))
_WITH_ONNX = ("export_aethernet_to_onnx", "save_aethernet_release")
_WITH_ENGINES = ("build_aethernet_engine", "upscale_image_aethernet_engine")


@dataclass(frozen=True)
class Need:
    """What nodes need: any of some distributions, from a version on ("": any), and how the user gets it."""

    name: str
    distributions: tuple[str, ...]
    minimum: str
    nodes: tuple[str, ...]
    remedy: str

    def met(self, python: Python) -> bool:
        """Say whether it is installed and new enough."""
        version = python.version_of(*self.distributions)
        return version is not None and is_at_least(version, self.minimum)

    def node_names(self) -> str:
        """Return what the user knows its nodes by."""
        return "all nodes" if self.nodes == _ALL else ", ".join(NODE_NAMES[node] for node in self.nodes)


_OURS = (
    ("rich>=13", Need("rich", ("rich",), "13", (), _INSTALL)),
    ("platformdirs>=3.0", Need("platformdirs", ("platformdirs",), "3.0", (), _INSTALL)),
    ("pyvips[binary]>=3.0", Need("pyvips", ("pyvips",), "3.0", _WITH_IMAGES, _INSTALL)),
    ("pyvips[binary]>=3.0", Need("pyvips-binary", ("pyvips-binary",), "8", _WITH_IMAGES, _INSTALL)),
    (
        "scikit-image>=0.20",
        Need("scikit-image", ("scikit-image",), "0.20", ("save_aethernet_release",), _INSTALL),
    ),
)
"""What the installer adds: what pip is asked for, and the need."""

_PYTORCH = (
    Need("PyTorch", ("torch",), "2.7", _ALL, _MANAGER.format("PyTorch")),
    Need("spandrel", ("spandrel",), "0.4.1", _ALL, _MANAGER.format("PyTorch")),
)
_ONNX = (
    Need("ONNX", ("onnx",), "1.16", ("build_aethernet_engine", *_WITH_ONNX), _MANAGER.format("ONNX")),
    Need(
        "ONNX Runtime",
        ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
        "1.17.1",
        _WITH_ONNX,
        _MANAGER.format("ONNX"),
    ),
)
_TENSORRT = Need(
    "TensorRT",
    ("tensorrt-rtx-cu13", "tensorrt-rtx", "tensorrt", "tensorrt-cu12", "tensorrt-cu13"),
    "",
    _WITH_ENGINES,
    f"{_MANAGER.format('TensorRT for RTX')}, under AetherNet, or TensorRT under TensorRT",
)
_ONNXSCRIPT = ("onnxscript>=0.5.7", Need("onnxscript", ("onnxscript",), "0.5.7", _WITH_ONNX, _INSTALL))
NEEDS = (*_PYTORCH, *_ONNX, _TENSORRT, *(need for _, need in (*_OURS, _ONNXSCRIPT)))
"""All that any node may need, chaiNNer's own first."""

_STARTED_ONCE = ("sanic", "numpy", "pillow", "scipy")
_CHAINNERS_OWN = ("torch", "torchvision", "spandrel", "onnx", "numpy", "pillow", "scipy", "protobuf")
_CHAINNERS_FAMILIES = ("onnxruntime", "tensorrt", "nvidia-")


def check_chainner(python: Python) -> None:
    """Raise InstallError if this is not chaiNNer's Python, or that of a chaiNNer too old for our nodes."""
    absent = [name for name in _STARTED_ONCE if name not in python.distributions]
    if absent:
        raise InstallError(
            f"{python.executable} is not the Python of a chaiNNer that has been started: {absent[0]} is not "
            f"installed in it. Start chaiNNer once, or name its Python with --python"
        )
    for need in _PYTORCH:
        version = python.version_of(*need.distributions)
        if version is not None and not is_at_least(version, need.minimum):
            raise InstallError(
                f"this chaiNNer has {need.name} {version}, and {need.minimum} is needed: update chaiNNer, "
                f"then PyTorch in its dependency manager"
            )


def missing_requirements(python: Python) -> list[str]:
    """Return what pip must be asked for. Raises InstallError if it is there, but too old."""
    missing: dict[str, None] = {}
    for requirement, need in _added_to(python):
        version = python.version_of(*need.distributions)
        if version is None:
            missing[requirement] = None
        elif not need.met(python):
            raise InstallError(
                f"{python.executable} has {need.name} {version}, and {need.minimum} is needed, but what is "
                f"there is not replaced: run {python.executable} -m pip install --upgrade {need.name}"
            )
    return list(missing)


def unmet_needs(python: Python) -> list[Need]:
    """Return those of `NEEDS` that are not there."""
    ours = [need for _, need in _added_to(python)]
    return [need for need in (*_PYTORCH, *_ONNX, _TENSORRT, *ours) if not need.met(python)]


def can_be_met(need: Need, python: Python) -> bool:
    """Say whether there is such a thing for this machine: TensorRT is for x86-64 Linux and Windows only."""
    x86 = python.machine.lower() in ("x86_64", "amd64")
    return need is not _TENSORRT or (python.platform != "darwin" and x86)


def is_chainners(name: str) -> bool:
    """Say whether a distribution is one that only chaiNNer itself may install."""
    return name in _CHAINNERS_OWN or name.startswith(_CHAINNERS_FAMILIES)


def is_at_least(version: str, minimum: str) -> bool:
    """Compare the numbers that versions begin with: 2.7.0+cu126 is at least 2.7."""
    found, needed = version_numbers(version), version_numbers(minimum)
    return found + (0,) * (len(needed) - len(found)) >= needed


def _added_to(python: Python) -> list[tuple[str, Need]]:
    """Return what the installer adds to a Python. From PyTorch 2.9 on the export works by onnxscript."""
    torch = python.version_of("torch")
    newer = torch is not None and is_at_least(torch, "2.9")
    # Without onnx there, onnxscript would bring one of its own choice.
    return [*_OURS, _ONNXSCRIPT] if newer and "onnx" in python.distributions else [*_OURS]
