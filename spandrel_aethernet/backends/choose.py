"""From a model file of any kind to the backend that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..checkpoint import Weights
from ..errors import AetherError, CheckpointError
from ..model_file import SUFFIXES, load_model
from . import Backend
from .onnx_file import OnnxBackend
from .pytorch import PyTorchBackend, choose_device, choose_dtype

BackendName = Literal["pytorch", "onnx"]
BACKENDS = ("auto", "pytorch", "onnx")
_SUFFIXES: dict[BackendName, tuple[str, ...]] = {"pytorch": SUFFIXES, "onnx": (".onnx",)}


@dataclass(frozen=True)
class OpenModel:
    """A model file that is loaded and ready to run."""

    path: Path
    backend: Backend
    description: str
    """One line: what was found in the file, and what runs it in which precision."""


def open_model(
    path: Path,
    *,
    backend: str = "auto",
    device: str = "auto",
    dtype: str = "auto",
    weights: Weights = "grid",
    provider: str = "auto",
) -> OpenModel:
    """Load a checkpoint with PyTorch or an ONNX file with ONNX Runtime.

    `backend` is one of `BACKENDS`. `device`, `dtype` (see `choose_device`, `choose_dtype`) and `weights`
    are for checkpoints, `provider` (see `open_session`) is for ONNX files. Raises `AetherError` where
    they do not go together, and `CheckpointError` or `OnnxError` for a file that cannot be loaded.
    """
    if backend_for(path, backend) == "onnx":
        given = {"device": (device, "auto"), "dtype": (dtype, "auto"), "weights": (weights, "grid")}
        _refuse(path, "checkpoints", given)
        network = OnnxBackend(path, provider=provider)
        return OpenModel(path, network, f"{path.name}: {network.description}")
    _refuse(path, "ONNX files", {"provider": (provider, "auto")})
    chosen = choose_device(device)
    descriptor = load_model(path, weights=weights)
    precision = choose_dtype(dtype, chosen)
    name = str(precision).removeprefix("torch.")
    description = f"{path.name}: {', '.join(descriptor.tags)}, {descriptor.scale}x, {name} on {chosen}"
    return OpenModel(path, PyTorchBackend(descriptor.model, chosen, precision), description)


def backend_for(path: Path, backend: str = "auto") -> BackendName:
    """Return what runs a file, by its suffix.

    Raises `AetherError` if `backend` is another one, and `CheckpointError` for any other suffix.
    """
    suffix = path.suffix.lower()
    for name, suffixes in _SUFFIXES.items():
        if backend in ("auto", name) and suffix in suffixes:
            return name
        if backend == name:
            raise AetherError(
                f"--backend {name} runs {', '.join(suffixes)} files, and {path} is not named so"
            )
    known = ", ".join(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
    raise CheckpointError(f"{path} is not named like a checkpoint or an ONNX file: expected {known}")


def _refuse(path: Path, kind: str, options: Mapping[str, tuple[str, str]]) -> None:
    """Raise `AetherError` for the first option, each its value and its default, that was given."""
    for option, (value, default) in options.items():
        if value != default:
            raise AetherError(f"--{option} {value} is for {kind}, and {path} is none: leave it out")
