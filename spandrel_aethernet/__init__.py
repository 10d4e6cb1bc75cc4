"""AetherNet super-resolution models: read, fuse, run, export to ONNX, build with TensorRT.

    import spandrel, spandrel_aethernet
    spandrel_aethernet.install()
    model = spandrel.ModelLoader().load_from_file("aether_small_2x.pth")

Everything else loads when it is first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # of type checkers True; importing `typing` would take longer than all else here
if TYPE_CHECKING:
    from .engines.build import build_engine
    from .engines.build_plan import BuildOptions
    from .errors import (
        AetherError,
        ArgumentError,
        CheckpointError,
        EngineError,
        ImageError,
        MissingPackageError,
        OnnxError,
        OutputError,
        VideoError,
    )
    from .images.resize import Size
    from .inference.upscale import upscale
    from .lint.linter import lint_onnx
    from .model.arch import AETHERNET_REGISTRY, AetherNet2Arch, AetherNetArch
    from .model.base import AetherBase
    from .model.checkpoint import Checkpoint, CheckpointInfo, read_checkpoint
    from .model.first.network import AetherNet
    from .model.fuse_file import fuse
    from .model.install import install
    from .model.io import load_model
    from .model.ranges import ActivationRange, TrainedRanges
    from .model.second.network import AetherNet2
    from .onnx_export.calibration import Calibrator
    from .onnx_export.export import export_network, export_onnx
    from .precision import Precision
    from .release.make import make_release
    from .shapes import Profile, Range
    from .video.options import VideoOptions
    from .video.run import upscale_video

__version__ = "0.1.0"

__all__ = [
    "AETHERNET_REGISTRY",
    "ActivationRange",
    "AetherBase",
    "AetherError",
    "AetherNet",
    "AetherNet2",
    "AetherNet2Arch",
    "AetherNetArch",
    "ArgumentError",
    "BuildOptions",
    "Calibrator",
    "Checkpoint",
    "CheckpointError",
    "CheckpointInfo",
    "EngineError",
    "ImageError",
    "MissingPackageError",
    "OnnxError",
    "OutputError",
    "Precision",
    "Profile",
    "Range",
    "Size",
    "TrainedRanges",
    "VideoError",
    "VideoOptions",
    "build_engine",
    "export_network",
    "export_onnx",
    "fuse",
    "install",
    "lint_onnx",
    "load_model",
    "make_release",
    "read_checkpoint",
    "upscale",
    "upscale_video",
]

_HOMES = {
    "engines.build": ("build_engine",),
    "engines.build_plan": ("BuildOptions",),
    "errors": (
        "AetherError",
        "ArgumentError",
        "CheckpointError",
        "EngineError",
        "ImageError",
        "MissingPackageError",
        "OnnxError",
        "OutputError",
        "VideoError",
    ),
    "images.resize": ("Size",),
    "inference.upscale": ("upscale",),
    "lint.linter": ("lint_onnx",),
    "model.arch": ("AETHERNET_REGISTRY", "AetherNet2Arch", "AetherNetArch"),
    "model.base": ("AetherBase",),
    "model.install": ("install",),
    "model.checkpoint": ("Checkpoint", "CheckpointInfo", "read_checkpoint"),
    "model.fuse_file": ("fuse",),
    "model.io": ("load_model",),
    "model.first.network": ("AetherNet",),
    "model.second.network": ("AetherNet2",),
    "model.ranges": ("ActivationRange", "TrainedRanges"),
    "onnx_export.calibration": ("Calibrator",),
    "onnx_export.export": ("export_network", "export_onnx"),
    "precision": ("Precision",),
    "release.make": ("make_release",),
    "shapes": ("Profile", "Range"),
    "video.options": ("VideoOptions",),
    "video.run": ("upscale_video",),
}
"""The modules that names are loaded from, as the imports for type checkers above say."""


def __getattr__(name: str) -> object:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .errors import missing_extras

    with missing_extras():
        value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value  # asked once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
