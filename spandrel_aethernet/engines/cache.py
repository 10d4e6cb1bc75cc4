"""Engines that are built when they are first used, and kept for the next time."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from .. import __version__
from ..errors import CheckpointError, EngineError, OutputError
from ..gate.files import read_file
from ..precision import Precision
from ..progress import SILENT, Progress
from . import DEFAULT_PRECISION, SUFFIX
from .build import build_engine
from .build_plan import BuildOptions
from .runtime import Runtime, find_runtime
from .sidecar import read_sidecar, sidecar_path
from .targets import ALL, Gpu, parse_targets, present_gpu

if TYPE_CHECKING:
    from ..model.checkpoint import Weights

FOLDER_VARIABLE = "SPANDREL_AETHERNET_CACHE"
"""The environment variable that names another folder for the cache."""
KEY_LENGTH = 32
"""Hexadecimal digits of a key, which an engine's file is called by."""
_WAIT_SECONDS = 0.1


def cache_folder() -> Path:
    """Return where engines are kept: a folder of this user, or what `FOLDER_VARIABLE` names.

    Only who may run programs as this user should be able to write there: an engine is a program.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given) if given else user_cache_path("spandrel-aethernet", appauthor=False) / "engines"


def cached_engine(
    source: Path,
    options: BuildOptions | None = None,
    *,
    precision: str | Precision | None = None,
    weights: Weights = "grid",
    folder: Path | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Return the engine of a checkpoint or an ONNX file, built if it is not in `folder` yet.

    One that is there was built from the same bytes (those beside an ONNX file included), with the same
    options, `precision` and `weights` (see `build_engine`), by the same TensorRT and the same version of this
    package, and for the same GPU; one that is damaged, or that its description does not fit, is built again.
    `folder` is `cache_folder()` by default. While another process builds the same one, this one waits, polls
    `progress`, and takes what the other built.

    Raises what `build_engine` raises; the cache holds no new file then.
    """
    options, folder = options or BuildOptions(), folder or cache_folder()
    runtime = find_runtime(options.runtime)
    content, digest = _digests(source)
    key = engine_key(digest, runtime, present_gpu(), options, precision=precision, weights=weights)
    engine = folder / f"{key}{SUFFIX}"
    if not _fits(engine, content, runtime):
        with _locked(lock_path(engine), progress):
            if not _fits(engine, content, runtime):  # nobody built it meanwhile
                build_engine(
                    source,
                    engine,
                    options,
                    precision=precision,
                    weights=weights,
                    force=True,
                    progress=progress,
                )
    with suppress(OSError):  # when it was last used is nice to know, no more
        os.utime(sidecar_path(engine))
    return engine


def lock_path(engine: Path) -> Path:
    """Return the file that is locked while an engine is built, or removed."""
    return engine.with_suffix(".lock")


def _digests(source: Path) -> tuple[str, str]:
    """Return the SHA-256 of a file's bytes, and one of all that belongs to it.

    Raises `CheckpointError` and `OnnxError` for one that cannot be read, and `MissingPackageError`.
    """
    if source.suffix.lower() != ".onnx":
        content = hashlib.sha256(read_file(source, CheckpointError)).hexdigest()
        return content, content
    from ..onnx_model.read import read_onnx
    from ..onnx_model.tensors import bodies

    file = read_onnx(source)
    digest = hashlib.sha256(file.content)
    content = digest.hexdigest()
    if file.has_external:
        for body in bodies(file.model):
            for tensor in body.all_tensors():
                digest.update(tensor.raw_data)
    return content, digest.hexdigest()


def engine_key(
    digest: str,
    runtime: Runtime,
    gpu: Gpu | None,
    options: BuildOptions,
    *,
    precision: str | Precision | None = None,
    weights: Weights = "grid",
) -> str:
    """Return what an engine is called by: a digest of all that it depends on.

    `digest` is of the model's bytes, `gpu` the one that is here. Raises `EngineError` for an unknown target.
    """
    if runtime.name == "tensorrt":  # which measures on the GPU that is here
        built_for = [gpu.name, gpu.capability] if gpu else []
    else:
        built_for = [*parse_targets(options.targets)] or [gpu.capability if gpu else ALL]
    parts = {
        "source": digest,
        "runtime": [runtime.name, runtime.version],
        "for": built_for,
        "precision": str(precision or DEFAULT_PRECISION),
        "weights": weights,
        "shapes": vars(options.shapes),
        "workspace": options.workspace,
        "optimization_level": options.optimization_level,
        "package": __version__,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:KEY_LENGTH]


def _fits(engine: Path, content: str, runtime: Runtime) -> bool:
    """Tell whether an engine is whole, and was built from this file by this TensorRT."""
    try:
        info = read_sidecar(engine)
    except EngineError:
        return False
    found = info and (info.source_sha256, info.runtime, info.version)
    return found == (content, runtime.name, runtime.version)


@contextmanager
def _locked(path: Path, progress: Progress) -> Generator[None]:
    """Hold a lock, which its process's end frees, however that comes; wait for it as long as it takes."""
    lock, waited = FileLock(path), False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not _acquired(lock):
            if not waited:
                progress.begin("waiting for another build", 1)
                waited = True
            progress.poll()
            time.sleep(_WAIT_SECONDS)
    except (OSError, NotImplementedError) as error:  # the latter for a file system without locks
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{path.parent} cannot keep engines: {reason}, name another folder by {FOLDER_VARIABLE} in the "
            "environment"
        ) from error
    try:
        if waited:
            progress.advance()
        yield
    finally:
        # Who waits opens the file anew, and looks for the engine before it builds one.
        with suppress(OSError):
            path.unlink(missing_ok=True)
        lock.release()


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
