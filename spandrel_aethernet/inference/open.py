"""From a model file of any kind to the backend that runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .. import engines
from ..errors import ArgumentError, CheckpointError, Hint, check_choice
from ..model.checkpoint import WEIGHTS, Weights
from ..model.io import SUFFIXES, load_model
from .backend import Backend
from .onnx import OnnxBackend
from .pytorch import DTYPES, PyTorchBackend, choose_device, choose_dtype
from .tensorrt.backend import TensorRTBackend
from .tensorrt.load import require_gpu

BackendName = Literal["pytorch", "onnx", "tensorrt"]
BACKENDS = ("auto", "pytorch", "onnx", "tensorrt")
_KINDS: dict[BackendName, str] = {
    "pytorch": "checkpoints",
    "onnx": "ONNX files",
    "tensorrt": "TensorRT engines",
}
_SUFFIXES: dict[BackendName, tuple[str, ...]] = {
    "pytorch": SUFFIXES,
    "onnx": (".onnx",),
    "tensorrt": engines.SUFFIXES,
}
_OPTIONS: dict[str, tuple[str | bool, tuple[BackendName, ...]]] = {
    "device": ("auto", ("pytorch", "tensorrt")),
    "dtype": ("auto", ("pytorch",)),
    "weights": ("grid", ("pytorch",)),
    "provider": ("auto", ("onnx",)),
    "trust": (False, ("tensorrt",)),
}
"""The default of each option of `open_model`, and the kinds of files that it is for."""


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
    trust: bool = False,
) -> OpenModel:
    """Load a checkpoint with PyTorch, an ONNX file with ONNX Runtime, or an engine with TensorRT.

    `backend` is one of `BACKENDS`. `device` (see `choose_device`, `choose_gpu`) is for checkpoints and
    engines, `dtype` (see `choose_dtype`) and `weights` are for checkpoints, `provider` (see
    `open_session`) is for ONNX files, and `trust` for engines, which are programs: it loads one that nothing
    describes. Raises `ArgumentError` for a wrong value, or one for other files, and
    `CheckpointError`, `OnnxError` or `EngineError` for a file that cannot be loaded.
    """
    check_choice("dtype", dtype, DTYPES)
    check_choice("weights", weights, WEIGHTS)
    kind = backend_for(path, backend)
    options = {"device": device, "dtype": dtype, "weights": weights, "provider": provider, "trust": trust}
    _check_options(path, kind, options)
    if kind == "tensorrt":
        engine = TensorRTBackend(path, device=device, trust=trust)
        return OpenModel(path, engine, f"{path.name}: {engine.description}")
    if kind == "onnx":
        network = OnnxBackend(path, provider=provider)
        return OpenModel(path, network, f"{path.name}: {network.description}")
    chosen = choose_device(device)
    descriptor = load_model(path, weights=weights)
    precision = choose_dtype(dtype, chosen)
    name = str(precision).removeprefix("torch.")
    description = f"{path.name}: {', '.join(descriptor.tags)}, {descriptor.scale}x, {name} on {chosen}"
    return OpenModel(path, PyTorchBackend(descriptor.model, chosen, precision), description)


def open_each(
    paths: Sequence[Path], *, device: str, provider: str = "auto", trust: bool = False
) -> list[OpenModel]:
    """Load files of any kinds: `device` is for checkpoints and engines, `provider` for ONNX files.

    `trust` is for engines, which run on a GPU whatever the device. Raises errors as `check_can_run` and
    `open_model` do.
    """
    check_can_run(paths)
    gpu = device if device.startswith("cuda") else "auto"
    devices: dict[BackendName, str] = {"pytorch": device, "onnx": "auto", "tensorrt": gpu}
    models: list[OpenModel] = []
    for path in paths:
        kind = backend_for(path)
        for_onnx, trusted = provider if kind == "onnx" else "auto", trust and kind == "tensorrt"
        models.append(open_model(path, device=devices[kind], provider=for_onnx, trust=trusted))
    return models


def check_can_run(paths: Iterable[Path], backend: str = "auto") -> None:
    """Raise an error for the first file that no backend runs, or none on this machine; reads nothing.

    That is `EngineError` for an engine where there is no GPU, else what `backend_for` raises.
    """
    for path in paths:
        if backend_for(path, backend) == "tensorrt":
            require_gpu(path)


def backend_for(path: Path, backend: str = "auto") -> BackendName:
    """Return what runs a file, by its suffix.

    Raises `ArgumentError` if `backend` runs other files or is not one of `BACKENDS`, and
    `CheckpointError` for any other suffix.
    """
    check_choice("backend", backend, BACKENDS)
    suffix = path.suffix.lower()
    for name, suffixes in _SUFFIXES.items():
        if backend in ("auto", name) and suffix in suffixes:
            return name
        if backend == name:
            raise ArgumentError(
                f"{path} is not named like a file that {name} runs, which are {', '.join(suffixes)}",
                Hint("leave {backend} out", backend=name),
            )
    known = ", ".join(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
    kinds = "a checkpoint, an ONNX file or an engine"
    raise CheckpointError(f"{path} is not named like {kinds}: expected {known}")


def _check_options(path: Path, kind: BackendName, options: Mapping[str, str | bool]) -> None:
    """Raise `ArgumentError` for the first option that has a value and is for other files."""
    for option, value in options.items():
        default, kinds = _OPTIONS[option]
        if value != default and kind not in kinds:
            meant = " and ".join(_KINDS[one] for one in kinds)
            hint = Hint(f"leave {{{option}}} out", **{option: value})
            raise ArgumentError(f"{path} is run by {kind}, and {option} is for {meant}", hint)
