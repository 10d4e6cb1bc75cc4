"""From an engine file to an engine on a GPU, or the reason why it cannot run there."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...engines import SUFFIX, SUFFIXES
from ...engines.header import Header, read_header
from ...engines.runtime import TITLES, Runtime, RuntimeName, find_runtime
from ...engines.sidecar import EngineInfo, check_trusted, read_sidecar
from ...engines.trtexec import command_line
from ...errors import EngineError, Hint
from ...gate.files import read_file

if TYPE_CHECKING:
    import tensorrt as trt

_HEADER_FINDINGS: Mapping[str, str] = {
    "MALFORMED_ENGINE": "it is not an engine of this runtime",
    "VERSION_MISMATCH": "another version built it",
    "UNSUPPORTED_CC": "it was built for other GPUs",
    "OLD_CUDA_DRIVER": "the GPU's driver is too old, update it",
    "OLD_CUDA_RUNTIME": "CUDA is too old, update it",
}
"""What TensorRT for RTX says of an engine's header, the findings that explain others first.

docs.nvidia.com/deeplearning/tensorrt-rtx/latest/inference-library/engine-compatibility.html. It may also find
that the GPU has not enough memory, which depends on the tiles that it will be given.
"""
_SOURCE_PLACE = re.compile(r"\.?\s+In \w+ at \S+:\d+|^.*Error Code \d+: ")


@dataclass(frozen=True)
class LoadedEngine:
    """An engine on a GPU, and what must live as long as it does: what deserialized it, and the log."""

    runtime: Runtime
    engine: trt.ICudaEngine
    deserializer: trt.Runtime
    log: Any
    info: EngineInfo | None = None


def require_gpu(path: Path) -> None:
    """Raise `EngineError` if there is no GPU here that could run an engine, or one built of a network."""
    if torch.version.cuda is None:
        missing = "PyTorch with CUDA, and the one here is built without: install that"
    elif not torch.cuda.is_available():
        missing = "an NVIDIA GPU and its driver, and PyTorch finds none here: use another machine"
    else:
        return
    if path.suffix.lower() not in SUFFIXES:
        away = Hint("or leave {backend} out", backend="tensorrt")
        raise EngineError(f"an engine of {path} needs {missing}", away)
    raise EngineError(f"{path} needs {missing}, or run the checkpoint or ONNX file it was built from")


def choose_gpu(path: Path, name: str = "auto") -> torch.device:
    """Return the GPU for an engine: `auto` is the current one; or `cuda`, `cuda:1` …

    Raises `EngineError` if it is not there.
    """
    require_gpu(path)
    if name != "auto" and not name.startswith("cuda"):
        hint = Hint("give {device}", device="cuda")
        raise EngineError(f"{path} runs on an NVIDIA GPU only, not on {name}", hint)
    try:
        return torch.empty(1, device="cuda" if name == "auto" else name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        hint = Hint("leave {device} out", device=name)
        raise EngineError(f"device {name} cannot be used here ({reason})", hint) from error


def load_engine(path: Path, device: torch.device, *, trust: bool = False) -> LoadedEngine:
    """Deserialize an engine with the TensorRT that built it.

    That is what its sidecar or its header tells; where neither does, those installed are tried in turn.
    An engine is a program: one without a description beside it is loaded only with `trust`. The description
    names the engine's bytes by their hash, and those very bytes are loaded; who made both it cannot tell.
    Raises `EngineError` if the file cannot be read, is not the one described or not described, its TensorRT
    is not installed, or it was built by another version or for other GPUs.
    """
    content = read_file(path, EngineError)
    info = read_sidecar(path, content)
    built = Header(info.runtime, info.version) if info is not None else read_header(path, content)
    check_trusted(path, info, trust=trust)
    runtimes = runtimes_for(path, built)
    capability = "{}.{}".format(*torch.cuda.get_device_capability(device))
    builds = runtimes[0].name != "rtx" or capability in runtimes[0].capabilities()
    command = build_command(path, info, runtimes[0].name if builds else "tensorrt", capability)
    if wrong := mismatch(built, info, runtimes[0], capability):
        raise EngineError(f"{path} was built {wrong}: to build it again, run {command}")
    refusals: list[str] = []
    for runtime in runtimes:
        try:
            return _deserialized(runtime, content, device, info)
        except EngineError as error:
            refusals.append(f"{runtime.title} ({error})")
    tried = " or ".join(refusals)
    raise EngineError(f"{path} cannot be loaded by {tried}: to build it for this GPU, run {command}")


def runtimes_for(path: Path, built: Header | None) -> Sequence[Runtime]:
    """Return the TensorRT that built an engine, or all that are installed where that is not known.

    Raises `EngineError` if there is none.
    """
    if built is not None:
        try:
            return [find_runtime(built.runtime)]
        except EngineError as error:
            sentence = f"{path} was built with {TITLES[built.runtime]}, and {error.message.sentence}"
            raise EngineError(sentence, error.message.hint) from error
    found: list[Runtime] = []
    for name in TITLES:
        with suppress(EngineError):
            found.append(find_runtime(name))
    return found or [find_runtime()]


def mismatch(built: Header | None, info: EngineInfo | None, runtime: Runtime, capability: str) -> str | None:
    """Return which other TensorRT or GPU an engine needs, or None for what is known to be right.

    `capability` is the GPU's, such as `8.9`. TensorRT for RTX is left to find out by itself whether a GPU
    can run an engine: some that are newer than those it can be told to build for do.
    """
    if built is not None and built.version != runtime.version:
        return f"with {TITLES[built.runtime]} {built.version}, and {runtime.version} is installed here"
    if runtime.name == "tensorrt" and info is not None and capability not in info.targets:
        return f"for GPUs of compute capability {', '.join(info.targets)}, and this one has {capability}"
    return None


def build_command(path: Path, info: EngineInfo | None, runtime: RuntimeName, capability: str) -> str:
    """Return the command that builds an engine anew, for this GPU and by the TensorRT that is here."""
    how = ["--target", capability] if runtime == "rtx" else ["--runtime", "tensorrt"]
    if info is not None and not info.source.lower().endswith(".onnx"):
        how += ["--precision", info.precision]  # of a checkpoint it can be any
    source = info.source if info is not None else "SOURCE"
    return command_line("aethernet", "engine", source, "-o", path.with_suffix(SUFFIX), *how, "--force")


def header_refusal(module: Any, deserializer: Any, content: bytes) -> str | None:
    """Return what an engine's header tells against running it here, as a person would say it.

    None if nothing does, or if this TensorRT cannot tell.
    """
    if not hasattr(deserializer, "get_engine_validity"):
        return None
    validity, findings = deserializer.get_engine_validity(content)
    if validity != module.EngineValidity.INVALID:
        return None
    for name, meaning in _HEADER_FINDINGS.items():
        if int(findings) & int(getattr(module.EngineInvalidityDiagnostics, name)):
            return meaning
    return None


@functools.cache
def error_log(runtime: Runtime) -> Any:
    """Return a TensorRT logger that prints nothing and keeps errors in its list `errors`.

    There is one: TensorRT uses the first that it is given for all that comes after.
    """
    module = runtime.module

    class Log(module.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            if severity <= module.ILogger.Severity.ERROR:
                self.errors.append(msg)

    return Log()


def first_error(log: Any) -> str:
    """Return the first error since the last call, without codes and places in TensorRT's source."""
    first = log.errors[0] if log.errors else "no reason given"
    log.errors.clear()
    return _SOURCE_PLACE.sub("", first.partition("\n")[0]).strip(" .")


def _deserialized(
    runtime: Runtime, content: bytes, device: torch.device, info: EngineInfo | None
) -> LoadedEngine:
    log = error_log(runtime)
    with torch.cuda.device(device):
        deserializer: trt.Runtime = runtime.module.Runtime(log)
        refusal = header_refusal(runtime.module, deserializer, content)
        if refusal is not None:
            raise EngineError(refusal)
        log.errors.clear()
        engine = deserializer.deserialize_cuda_engine(content)
    if not engine:  # None, whatever the stubs say
        raise EngineError(first_error(log))
    return LoadedEngine(runtime, engine, deserializer, log, info)
