"""The engine of a network that is to be run with TensorRT and has none yet."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch

from ...engines.build_plan import BuildOptions
from ...engines.runtime import find_runtime
from ...errors import EngineError
from ...model.checkpoint import Weights
from ...progress import Progress
from .load import choose_gpu


def engine_for(
    path: Path,
    options: BuildOptions | None,
    *,
    device: str,
    precision: str | None,
    weights: Weights,
    progress: Progress,
) -> Path:
    """Return the engine of a checkpoint or an ONNX file for one GPU, built if the cache has none.

    Raises `EngineError` if there is no such GPU (see `choose_gpu`), before anything is read, and what
    `cached_engine` raises.
    """
    from ...engines.cache import cached_engine

    gpu = choose_gpu(path, device)
    capability = "{}.{}".format(*torch.cuda.get_device_capability(gpu))
    fitting = for_capability(options or BuildOptions(), capability)
    return cached_engine(path, fitting, precision=precision, weights=weights, progress=progress)


def for_capability(options: BuildOptions, capability: str) -> BuildOptions:
    """Return options that build for GPUs of a compute capability, as far as they leave that open.

    TensorRT for RTX is told what to build for; where it does not know the GPU and classic TensorRT is
    installed, that one builds. Raises `EngineError` if no TensorRT is installed.
    """
    runtime = find_runtime(options.runtime)
    if runtime.name == "tensorrt" or options.targets:
        return options
    if capability in runtime.capabilities():
        return replace(options, targets=(capability,))
    if options.runtime == "auto":
        with suppress(EngineError):
            return replace(options, runtime=find_runtime("tensorrt").name)
    return options
