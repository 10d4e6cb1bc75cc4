"""From a checkpoint or an ONNX file to an engine and its description."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .. import __version__
from ..errors import EngineError, OutputError
from ..files import check_target, replacing
from ..model.checkpoint import Weights
from ..shapes import Profile
from . import SUFFIX
from .as_onnx import as_onnx
from .build_plan import BuildOptions, Plan, plan_build
from .layers import report_layers
from .process import plain, run_job
from .profile import as_lists, is_fixed
from .runtime import Flavour
from .sidecar import EngineInfo, describe, document, file_sha256, sidecar_path
from .worker import Job


class Monitor(Protocol):
    """What is told how far TensorRT has come, with the names it gives its phases."""

    def phase_start(self, name: str, parent: str | None, steps: int) -> None:
        """Begin a phase, inside another one unless `parent` is None."""
        ...

    def step_complete(self, name: str, step: int) -> None:
        """Count a step of a phase, from 0."""
        ...

    def phase_finish(self, name: str) -> None:
        """End a phase, whether or not all its steps came."""
        ...


@dataclass(frozen=True)
class BuildReport:
    """What was built."""

    path: Path
    info: EngineInfo
    notes: tuple[str, ...]
    warnings: Mapping[str, int]
    """TensorRT's warnings, and how often each came."""
    timing_cache: Path | None

    def describe(self) -> dict[str, Any]:
        """Return the report as a JSON-ready document."""
        cache = self.timing_cache and str(self.timing_cache)
        extra = {"notes": self.notes, "warnings": self.warnings, "timing_cache": cache}
        return {"file": str(self.path), **describe(self.info), **extra}


def build_engine(
    source: Path,
    target: Path,
    options: BuildOptions | None = None,
    *,
    precision: str | None = None,
    weights: Weights = "grid",
    calibration: Path | None = None,
    force: bool = False,
    verbose: bool = False,
    monitor: Monitor | None = None,
    on_message: Callable[[str, str], object] = lambda _severity, _text: None,
    on_step: Callable[[str, int], object] = lambda _step, _total: None,
    on_progress: Callable[[], object] = lambda: None,
    on_wait: Callable[[], object] = lambda: None,
) -> BuildReport:
    """Build `target`, and its description beside it, from an ONNX file or a checkpoint.

    A checkpoint is exported first (see `export_onnx` for `weights`, `calibration`, `on_step` and
    `on_progress`), as `precision` (default: `DEFAULT_PRECISION`) with the operators in INT8 that suit
    TensorRT. `on_message` is given the severity (`error`, `warning`; with `verbose` also `info` and
    `verbose`) and the text of what TensorRT says while it builds, which may be nothing for long: `on_wait` is
    called ten times a second. KeyboardInterrupt, and whatever the callbacks raise, ends the build at once.
    Raises `EngineError`, `OutputError`, and for the source `CheckpointError`, `OnnxError` or `ImageError`;
    nothing is left behind then.
    """
    options = options or BuildOptions()
    check_engine_target(target, force=force)
    exported = as_onnx(
        source,
        precision=precision,
        weights=weights,
        calibration=calibration,
        on_step=on_step,
        on_progress=on_progress,
    )
    warnings: Counter[str] = Counter()

    def on_event(event: Mapping[str, Any]) -> None:
        if event["kind"] == "message":
            if event["severity"] == "warning":
                warnings[plain(event["text"])] += 1
            on_message(event["severity"], event["text"])
        elif monitor:
            _pass_on(event, monitor)

    with exported as onnx:
        plan = plan_build(onnx, options)
        if plan.problems or plan.flavour is None or plan.profile is None:
            others = len(plan.problems) - 1
            more = f" (and {others} more reasons: --dry-run lists them)" if others else ""
            raise EngineError(plan.problems[0] + more)
        # A description is replaced after its engine and gone before: it never lies beside another one.
        sidecar = sidecar_path(target)
        with replacing(sidecar, force=force) as partial_sidecar, replacing(target, force=force) as partial:
            job = _job(plan, plan.flavour, plan.profile, options, partial, verbose=verbose)
            begun = time.perf_counter()
            layers = run_job(job, on_event, title=plan.flavour.title, name=source.name, on_wait=on_wait)
            seconds = time.perf_counter() - begun
            info = _info(plan, plan.flavour, plan.profile, source, partial, layers, seconds)
            partial_sidecar.write_text(document(info), encoding="utf-8")
            sidecar.unlink(missing_ok=True)
    return BuildReport(target, info, plan.notes, warnings, plan.timing_cache)


def check_engine_target(target: Path, *, force: bool) -> None:
    """Raise `OutputError` if `target` is not named like an engine, or it or its description is kept."""
    if target.suffix.lower() != SUFFIX:
        raise OutputError(f"{target} is not named like an engine: expected {SUFFIX}")
    check_target(target, force=force)
    check_target(sidecar_path(target), force=force)


def _job(
    plan: Plan, flavour: Flavour, profile: Profile, options: BuildOptions, engine: Path, *, verbose: bool
) -> Job:
    return Job(
        flavour=flavour.name,
        onnx=str(plan.source.path),
        engine=str(engine),
        input_name=plan.source.input_name,
        shapes=None if is_fixed(plan.source) else as_lists(profile, plan.source.channels),
        targets=[] if flavour.name == "tensorrt" else list(plan.targets),
        workspace=options.workspace,
        level=options.level,
        timing_cache=plan.timing_cache and str(plan.timing_cache),
        inspect=plan.gpu is not None and plan.gpu.capability in plan.targets,
        verbose=verbose,
    )


def _pass_on(event: Mapping[str, Any], monitor: Monitor) -> None:
    if event["kind"] == "phase":
        monitor.phase_start(event["name"], event["parent"], event["steps"])
    elif event["kind"] == "step":
        monitor.step_complete(event["name"], event["step"])
    else:
        monitor.phase_finish(event["name"])


def _info(
    plan: Plan,
    flavour: Flavour,
    profile: Profile,
    source: Path,
    engine: Path,
    layers: str,
    seconds: float,
) -> EngineInfo:
    found = plan.source
    quantised = [operator.name for operator in found.operators if operator.precision == "int8"]
    report = report_layers(layers, quantised)
    return EngineInfo(
        engine_sha256=file_sha256(engine),
        source=source.name,
        source_sha256=found.sha256 if source == found.path else file_sha256(source),
        flavour=flavour.name,
        version=flavour.version,
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
