"""Building one engine, in a process of its own.

TensorRT can be busy inside one step for many seconds, in which it cannot be cancelled, and its parser brings
down its process on some files. So a child process builds (see `process.py`) and says what happens as lines of
JSON on its standard output. Its standard input gives the job as a line of JSON, then the bytes of the model.
When that ends, the build is over: the builder is told to stop, and a moment later the process ends whatever
the builder does. That holds for a parent that was killed, too. Nothing here may load PyTorch, which is slow.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError
from .runtime import Runtime, RuntimeName, find_runtime
from .timing_cache import load_timings, save_timings

if TYPE_CHECKING:
    import tensorrt as trt

    Send = Callable[..., None]

GRACE_SECONDS = 0.3
"""How long a cancelled build may take to stop by itself."""
_LAYERS = ("Layers:\n", "Engine Layer Information:\n")
"""How the message starts in which a builder lists an engine's layers."""


@dataclass(frozen=True)
class BuildJob:
    """What to build. Only what JSON can hold."""

    runtime: RuntimeName
    onnx: str | None
    """File to read; None for a model that is given in memory."""
    engine: str
    """File to write."""
    input_name: str
    shapes: list[list[int]] | None
    """Min, opt and max N x C x H x W; None if the model fixes them."""
    targets: list[str]
    """Compute capabilities; empty for classic TensorRT."""
    workspace: int | None
    """MiB of scratch memory at most."""
    optimization_level: int | None
    """0..5: how long to look for fast kernels."""
    timing_cache: str | None
    inspect: bool
    """Whether to load the engine and ask for its layers, which takes a GPU."""
    verbose: bool
    """Whether to pass on messages that are no warnings."""


def main(request: Mapping[str, Any]) -> None:
    """Build what the first line of standard input asks for: a `job`, with a model in the `bytes` after it."""
    job, model = BuildJob(**request["job"]), sys.stdin.buffer.read(request["bytes"])
    if len(model) == request["bytes"]:  # else the build is over already
        work(job, model)


def work(job: BuildJob, model: bytes) -> None:
    """Build, and send what happens; the last message is `built`, `refused`, `failed` or `unwritable`."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the library prints must not get between the messages
    lock, cancelled = threading.Lock(), threading.Event()

    def send(kind: str, **fields: Any) -> None:
        with lock:
            lines.write(json.dumps({"kind": kind, **fields}) + "\n")
            lines.flush()

    threading.Thread(target=_end_with_input, args=[cancelled], daemon=True).start()
    try:
        _build(find_runtime(job.runtime), job, model, send, cancelled)
    except Exception as error:  # TensorRT's bindings raise TypeError, RuntimeError and more
        send("failed", reason=str(error))


def _end_with_input(cancelled: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    cancelled.set()
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _build(runtime: Runtime, job: BuildJob, model: bytes, send: Send, cancelled: threading.Event) -> None:
    module = runtime.module
    log = _make_logger(module, send, verbose=job.verbose)
    monitor = _make_monitor(module, send, cancelled)
    builder: trt.Builder = module.Builder(log)
    network = builder.create_network(runtime.strongly_typed)
    parser: trt.OnnxParser = module.OnnxParser(network, log)
    content = Path(job.onnx).read_bytes() if job.onnx else model
    if not parser.parse(content, job.onnx or ""):
        faults = [parser.get_error(index) for index in range(parser.num_errors)]
        send("refused", errors=[_parser_error(fault) for fault in faults])
        return
    config = _configure(runtime, job, builder)
    config.progress_monitor = monitor
    if job.timing_cache:
        load_timings(config, Path(job.timing_cache))
    engine: Any = builder.build_serialized_network(network, config)
    if engine is None:
        send("failed", reason=log.errors[0] if log.errors else "it does not say why")
        return
    content = memoryview(engine)
    if cancelled.is_set():  # nobody would take the file away again
        return
    try:
        Path(job.engine).write_bytes(content)
    except OSError as error:
        send("unwritable", reason=error.strerror or str(error))
        return
    if job.timing_cache:
        try:
            save_timings(config, Path(job.timing_cache))
        except OutputError as error:
            send("message", severity="warning", text=str(error))
    layers = (_inspect_layers(module, log, content) if job.inspect else None) or log.layers
    send("built", layers=layers)


def _parser_error(fault: trt.ParserError) -> dict[str, str]:
    code = str(fault.code()).rpartition(".")[2].replace("_", " ").lower()
    return {"node": fault.node_name(), "operator": fault.node_operator(), "code": code, "said": fault.desc()}


def _configure(runtime: Runtime, job: BuildJob, builder: trt.Builder) -> trt.IBuilderConfig:
    module = runtime.module
    config = builder.create_builder_config()
    config.profiling_verbosity = module.ProfilingVerbosity.DETAILED
    if job.workspace is not None:
        config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, job.workspace << 20)
    if job.optimization_level is not None:
        config.builder_optimization_level = job.optimization_level
    if job.shapes is not None:
        profile = builder.create_optimization_profile()
        profile.set_shape(job.input_name, *(module.Dims(shape) for shape in job.shapes))
        config.add_optimization_profile(profile)
    if job.targets:
        _set_targets(config, [runtime.capabilities()[target] for target in job.targets])
    return config


def _set_targets(config: Any, capabilities: list[Any]) -> None:
    """Choose what TensorRT for RTX builds for; classic TensorRT has none of this."""
    config.num_compute_capabilities = len(capabilities)
    for index, capability in enumerate(capabilities):
        config.set_compute_capability(capability, index)


def _make_logger(module: Any, send: Send, *, verbose: bool) -> Any:
    """Return a logger that sends warnings and errors, or everything, and keeps errors and layers."""

    class Log(module.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []
            self.layers: str | None = None

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            if msg.startswith(_LAYERS):
                self.layers = msg
            if severity <= module.ILogger.Severity.ERROR:
                self.errors.append(msg)
            if verbose or severity <= module.ILogger.Severity.WARNING:
                send("message", severity=str(severity).rpartition(".")[2].lower(), text=msg)

    return Log()


def _make_monitor(module: Any, send: Send, cancelled: threading.Event) -> Any:
    """Return a progress monitor that any thread of the builder may call."""

    class Monitor(module.IProgressMonitor):
        def __init__(self) -> None:
            super().__init__()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            send("phase", name=phase_name, parent=parent_phase, steps=num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            send("step", name=phase_name, step=step)
            return not cancelled.is_set()

        def phase_finish(self, phase_name: str) -> None:
            send("finish", name=phase_name)

    return Monitor()


def _inspect_layers(module: Any, log: Any, content: memoryview) -> str | None:
    """Return the engine's layers as JSON, or None if the GPU that is here cannot run it."""
    deserializer: trt.Runtime = module.Runtime(log)
    engine = deserializer.deserialize_cuda_engine(content)
    if not engine:  # None, whatever the stubs say
        return None
    return engine.create_engine_inspector().get_engine_information(module.LayerInformationFormat.JSON)
