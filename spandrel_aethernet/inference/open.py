"""From a model file of any kind to the backend that runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .. import engines
from ..engines.build_plan import BuildOptions
from ..errors import ArgumentError, CheckpointError, Hint, check_choice
from ..model.checkpoint import WEIGHTS, Weights
from ..model.io import SUFFIXES, load_model
from ..precision import Precision
from ..progress import SILENT, Progress
from .backend import Backend
from .onnx import OnnxBackend
from .openvino import OpenVinoBackend
from .openvino_choice import openvino_is_faster
from .pytorch import DTYPES, PyTorchBackend, choose_device, choose_dtype
from .tensorrt.backend import TensorRTBackend
from .tensorrt.first_use import engine_for
from .tensorrt.load import require_gpu

BackendName = Literal["pytorch", "onnx", "openvino", "tensorrt"]
BACKENDS = ("auto", "pytorch", "onnx", "openvino", "tensorrt")
_SUFFIXES: dict[BackendName, tuple[str, ...]] = {
    "pytorch": SUFFIXES,
    "onnx": (".onnx",),
    "openvino": (".onnx",),
    "tensorrt": engines.SUFFIXES,
}
"""What each backend runs if nothing else is asked for; of two the first, but see `openvino_is_faster`."""
_BUILT = (*SUFFIXES, ".onnx")
"""What TensorRT runs if it is asked to: an engine is built of it."""
_OPTIONS: dict[str, tuple[object, str, tuple[tuple[BackendName, BackendName], ...]]] = {
    "device": (
        "auto",
        "checkpoints and TensorRT engines",
        (
            *(("pytorch", "pytorch"), ("pytorch", "tensorrt"), ("onnx", "openvino"), ("onnx", "tensorrt")),
            ("tensorrt", "tensorrt"),
        ),
    ),
    "dtype": ("auto", "checkpoints", (("pytorch", "pytorch"), ("onnx", "openvino"))),
    "weights": ("grid", "checkpoints", (("pytorch", "pytorch"), ("pytorch", "tensorrt"))),
    "compile": (False, "checkpoints", (("pytorch", "pytorch"),)),
    "provider": ("auto", "ONNX files", (("onnx", "onnx"),)),
    "trust": (False, "TensorRT engines", (("tensorrt", "tensorrt"),)),
    "precision": (None, "engines that are built of checkpoints", (("pytorch", "tensorrt"),)),
    "build": (
        None,
        "engines that are built of checkpoints and ONNX files",
        (("pytorch", "tensorrt"), ("onnx", "tensorrt")),
    ),
}
"""The default of each option of `open_model`, and what it is for: a file's own backend, and what runs it."""


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
    build: BuildOptions | None = None,
    precision: str | None = None,
    compile: bool | int = False,  # noqa: A002  (as PyTorch calls it)
    progress: Progress = SILENT,
) -> OpenModel:
    """Load a checkpoint with PyTorch, an ONNX file with ONNX Runtime or OpenVINO, or an engine with TensorRT.

    `backend` is one of `BACKENDS`. With `auto`, and all options left as they are, OpenVINO runs an ONNX file
    on the CPU where it is faster (see `openvino_is_faster`). With `tensorrt`, a checkpoint (as `precision`,
    default fp16-int8) or an ONNX file is run as an engine, which is built as `build` says when it is first
    used, and kept (see `cached_engine`); `progress` is told how far that is. `device` (see `choose_device`,
    `choose_gpu`, `choose_openvino_device`) is for checkpoints, engines and OpenVINO, `dtype` (see
    `choose_dtype`, `choose_openvino_dtypes`) for checkpoints and OpenVINO, `weights` for checkpoints,
    `provider` (see `open_session`) for ONNX Runtime, and `trust` for engines, which are programs: it loads
    one that nothing describes. `compile` compiles a checkpoint's network for tiles of a side in pixels, of
    the one that is chosen for the device if it is True, which takes half a minute (see `compile_network`).
    Raises `ArgumentError` for a wrong value, or one for other files, and `CheckpointError`, `OnnxError` or
    `EngineError` for a file that cannot be loaded.
    """
    check_choice("dtype", dtype, DTYPES)
    check_choice("weights", weights, WEIGHTS)
    if precision is not None:
        Precision.parse(precision)
    kind = backend_for(path, backend)
    options = {
        "device": device,
        "dtype": dtype,
        "weights": weights,
        "provider": provider,
        "trust": trust,
        "precision": precision,
        "build": build,
        "compile": bool(compile),
    }
    _check_options(path, kind, options)
    if kind == "tensorrt":
        file = path
        if backend_for(path) != "tensorrt":
            file = engine_for(
                path, build, device=device, precision=precision, weights=weights, progress=progress
            )
        engine = TensorRTBackend(file, device=device, trust=trust)
        return OpenModel(path, engine, f"{path.name}: {engine.description}")
    if kind == "openvino":
        network = OpenVinoBackend(path, device=device, dtype=dtype)
        return OpenModel(path, network, f"{path.name}: {network.description}")
    if kind == "onnx":
        if (backend, provider) == ("auto", "auto") and openvino_is_faster():
            network = OpenVinoBackend(path, device="cpu")
            description = f"{path.name}: {network.description}, faster here than ONNX Runtime"
            return OpenModel(path, network, description)
        network = OnnxBackend(path, provider=provider)
        return OpenModel(path, network, f"{path.name}: {network.description}")
    chosen = choose_device(device)
    descriptor = load_model(path, weights=weights)
    network = PyTorchBackend(descriptor.model, chosen, choose_dtype(dtype, chosen), compile=compile)
    description = f"{path.name}: {', '.join(descriptor.tags)}, {descriptor.scale}x, {network.description}"
    return OpenModel(path, network, description)


def open_each(
    paths: Sequence[Path],
    *,
    device: str,
    dtype: str = "auto",
    provider: str = "auto",
    trust: bool = False,
) -> list[OpenModel]:
    """Load files of any kinds: `device` is for checkpoints and engines, `provider` for ONNX files.

    ONNX files are run by ONNX Runtime, so that it is files that are compared.

    `dtype` is for checkpoints, `trust` for engines, which run on a GPU whatever the device. Raises errors as
    `check_can_run` and `open_model` do.
    """
    check_can_run(paths)
    gpu = device if device.startswith("cuda") else "auto"
    devices: dict[BackendName, str] = {"pytorch": device, "onnx": "auto", "tensorrt": gpu}
    models: list[OpenModel] = []
    for path in paths:
        kind = backend_for(path)
        models.append(
            open_model(
                path,
                backend=kind,
                device=devices[kind],
                dtype=dtype if kind == "pytorch" else "auto",
                provider=provider if kind == "onnx" else "auto",
                trust=trust and kind == "tensorrt",
            )
        )
    return models


def check_can_run(paths: Iterable[Path], backend: str = "auto") -> None:
    """Raise an error for the first file that no backend runs, or none on this machine; reads nothing.

    That is `EngineError` for what TensorRT is to run where there is no GPU, else what `backend_for` raises.
    """
    for path in paths:
        if backend_for(path, backend) == "tensorrt":
            require_gpu(path)


def backend_for(path: Path, backend: str = "auto") -> BackendName:
    """Return what runs a file, by its suffix: `tensorrt`, if asked for, also what engines are built of.

    Raises `ArgumentError` if `backend` runs other files or is not one of `BACKENDS`, and
    `CheckpointError` for any other suffix.
    """
    check_choice("backend", backend, BACKENDS)
    suffix = path.suffix.lower()
    for name, own in _SUFFIXES.items():
        suffixes = (*own, *_BUILT) if backend == name == "tensorrt" else own
        if backend in ("auto", name) and suffix in suffixes:
            return name
        if backend == name:
            hint = Hint("leave {backend} out", backend=name)
            if suffix in _SUFFIXES["pytorch"] and ".onnx" in suffixes:
                hint = Hint("export it to ONNX first, or leave {backend} out", backend=name)
            raise ArgumentError(
                f"{path} is not named like a file that {name} runs, which are {', '.join(suffixes)}", hint
            )
    known = ", ".join(dict.fromkeys(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes))
    kinds = "a checkpoint, an ONNX file or an engine"
    raise CheckpointError(f"{path} is not named like {kinds}: expected {known}")


def _check_options(path: Path, kind: BackendName, options: Mapping[str, object]) -> None:
    """Raise `ArgumentError` for the first option that has a value and is for other files or backends."""
    own = backend_for(path)
    for option, value in options.items():
        default, meant, ways = _OPTIONS[option]
        if value != default and (own, kind) not in ways:
            plain = isinstance(value, str | bool)
            hint = Hint(f"leave {{{option}}} out", **{option: value}) if plain else None
            others = " and ".join(by for file, by in ways if file == own != kind)
            raise ArgumentError(f"{path} is run by {kind}, and {option} is for {others or meant}", hint)
