"""From a checkpoint, a network or an ONNX model to an engine and its description."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import EngineError, Hint, Message, OutputError
from ..files import check_target, replacing, sha256
from ..precision import Precision
from ..progress import SILENT, Progress
from ..shapes import Profile
from . import SUFFIX
from .build_plan import BuildOptions, Plan, plan_source
from .layers import report_layers
from .process import plain, run_job
from .profile import is_fixed
from .runtime import Runtime, find_runtime
from .sidecar import EngineInfo, describe, document, sidecar_path
from .source import MODEL_BYTES, open_source
from .targets import parse_targets
from .worker import BuildJob

if TYPE_CHECKING:
    from ..model.checkpoint import Weights
    from ..onnx_export.calibration import CalibrationImages
    from .source import EngineInput


@dataclass(frozen=True)
class BuildReport:
    """What was built."""

    path: Path
    info: EngineInfo
    notes: tuple[Message, ...]
    warnings: Mapping[str, int]
    """TensorRT's warnings, and how often each came."""
    timing_cache: Path | None

    def describe(self) -> dict[str, Any]:
        """Return the report as a JSON-ready document."""
        cache = self.timing_cache and str(self.timing_cache)
        notes = [str(note) for note in self.notes]
        extra = {"notes": notes, "warnings": self.warnings, "timing_cache": cache}
        return {"file": str(self.path), **describe(self.info), **extra}


def build_engine(
    source: EngineInput,
    target: Path,
    options: BuildOptions | None = None,
    *,
    name: str | None = None,
    precision: str | Precision | None = None,
    weights: Weights = "grid",
    calibration: Path | CalibrationImages | None = None,
    force: bool = False,
    verbose: bool = False,
    on_message: Callable[[str, str], object] = lambda _severity, _text: None,
    progress: Progress = SILENT,
) -> BuildReport:
    """Build `target`, and its description beside it, from an ONNX model, a network, or the path of either.

        build_engine("aether_small_2x.pth", Path("aether_small_2x.engine"))
        build_engine(exported.model, Path("small.engine"), BuildOptions(targets=["RTX 3060"]))

    A network or checkpoint is exported first (see `export_network` for `weights` and `calibration`), as
    `precision` (default: fp16-int8) with the operators in INT8 that suit TensorRT, and verified. What is in
    memory is called `name` in the description: a model by default as `target` with `.onnx`.
    `on_message` is given the severity (`error`, `warning`; with `verbose` also `info` and `verbose`) and the
    text of what TensorRT says while it builds. `progress` is told its phases, and polled in between;
    KeyboardInterrupt, and whatever `progress` and `on_message` raise, ends the build at once.

    Raises `ArgumentError` for a wrong value, `EngineError` if it cannot be built, `OutputError` if `target`
    cannot be written or exists and `force` is False, `MissingPackageError` without ONNX, and for the source
    `CheckpointError`, `OnnxError` or `ImageError`; nothing is left behind then.
    """
    options, target = options or BuildOptions(), Path(target)
    check_engine_target(target, force=force)
    # Before an export, which takes a while.
    parse_targets(options.targets)
    find_runtime(options.runtime)
    found = open_source(
        source,
        name=name,
        default_name=f"{target.stem}.onnx",
        precision=precision,
        weights=weights,
        calibration=calibration,
        progress=progress,
    )
    plan = plan_source(found, options)
    if plan.problems or plan.runtime is None or plan.profile is None:
        raise _refusal(plan)
    # A description is replaced after its engine and gone before: it never lies beside another one.
    sidecar, warnings = sidecar_path(target), Counter[str]()
    with replacing(sidecar, force=force) as partial_sidecar, replacing(target, force=force) as partial:
        job = _job(plan, plan.runtime, plan.profile, options, partial, verbose=verbose)
        begun = time.perf_counter()
        layers = run_job(
            job,
            None if job.onnx else found.model.SerializeToString(),
            _listener(warnings, on_message, progress),
            title=plan.runtime.title,
            name=found.name,
            poll=progress.poll,
        )
        seconds = time.perf_counter() - begun
        info = _info(plan, plan.runtime, plan.profile, partial, layers, seconds)
        partial_sidecar.write_text(document(info), encoding="utf-8")
        check_engine_target(target, force=force)  # another build's may lie there by now
        sidecar.unlink(missing_ok=True)
    return BuildReport(target, info, plan.notes, warnings, plan.timing_cache)


def check_engine_target(target: Path, *, force: bool) -> None:
    """Raise `OutputError` if `target` is not named like an engine, or it or its description is kept."""
    if target.suffix.lower() != SUFFIX:
        raise OutputError(f"{target} is not named like an engine: expected {SUFFIX}")
    check_target(target, force=force)
    check_target(sidecar_path(target), force=force)


def _refusal(plan: Plan) -> EngineError:
    first, count = plan.problems[0], len(plan.problems)
    if count == 1:
        return EngineError(first.sentence, first.hint)
    others = Hint("{dry_run} lists them", dry_run=True)
    hint = first.hint + others if first.hint else others
    return EngineError(f"{first.sentence} (the first of {count} reasons)", hint)


def _job(
    plan: Plan, runtime: Runtime, profile: Profile, options: BuildOptions, engine: Path, *, verbose: bool
) -> BuildJob:
    too_large = plan.source.model.ByteSize() > MODEL_BYTES
    return BuildJob(
        runtime=runtime.name,
        onnx=str(plan.source.path) if too_large else None,
        engine=str(engine),
        input_name=plan.source.input_name,
        shapes=None if is_fixed(plan.source) else profile.shapes(plan.source.channels),
        targets=[] if runtime.name == "tensorrt" else list(plan.targets),
        workspace=options.workspace,
        optimization_level=options.optimization_level,
        timing_cache=plan.timing_cache and str(plan.timing_cache),
        inspect=plan.gpu is not None and plan.gpu.capability in plan.targets,
        verbose=verbose,
    )


def _listener(
    warnings: Counter[str], on_message: Callable[[str, str], object], progress: Progress
) -> Callable[[Mapping[str, Any]], None]:
    """Return what counts warnings, passes messages on, and tells `progress` of TensorRT's phases."""
    left: dict[str, int] = {}

    def listen(event: Mapping[str, Any]) -> None:
        if event["kind"] == "message":
            if event["severity"] == "warning":
                warnings[plain(event["text"])] += 1
            on_message(event["severity"], event["text"])
        elif event["kind"] == "phase":
            left[event["name"]] = event["steps"]
            progress.begin(event["name"], event["steps"], within=event["parent"])
        else:  # a phase may end before all its steps came
            done = 1 if event["kind"] == "step" else left.get(event["name"], 0)
            for _ in range(min(done, left.get(event["name"], 0))):
                left[event["name"]] -= 1
                progress.advance(event["name"])

    return listen


def _info(
    plan: Plan, runtime: Runtime, profile: Profile, engine: Path, layers: str, seconds: float
) -> EngineInfo:
    found = plan.source
    quantized = [operator.name for operator in found.operators if operator.precision == "int8"]
    report = report_layers(layers, quantized)
    return EngineInfo(
        engine_sha256=sha256(engine),
        source=found.name,
        source_sha256=found.sha256,
        runtime=runtime.name,
        version=runtime.version,
        targets=plan.targets,
        profile=profile,
        input_name=found.input_name,
        output_name=found.output_name,
        precision=found.precision,
        scale=found.scale,
        channels=found.channels,
        operators=dict(found.counts),
        layers=dict(report.counts) if report else None,
        fell_back=report.fell_back if report else (),
        build_seconds=round(seconds, 2),
        package_version=__version__,
    )
