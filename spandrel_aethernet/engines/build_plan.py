"""What would be built from a model, and why it would not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

from typing_extensions import Unpack

from ..errors import ArgumentError, EngineError, Hint, Message, check_choice
from ..precision import Precision
from ..progress import Progress
from ..shapes import Profile
from .profile import Shapes, fit_profile
from .runtime import RUNTIMES, TITLES, Runtime, find_runtime
from .source import OnnxSource, open_source
from .targets import Gpu, Targets, choose_targets, present_gpu
from .timing_cache import cache_file

if TYPE_CHECKING:
    from ..model.checkpoint import Weights
    from ..onnx_export.calibration import CalibrationImages
    from .source import EngineInput

_Found = TypeVar("_Found")
_LEVELS = range(6)


@dataclass(frozen=True)
class BuildOptions:
    """How to build. Raises `ArgumentError` for a value that is not described here.

    options = spandrel_aethernet.BuildOptions(targets=["RTX 3060"])
    spandrel_aethernet.build_engine("aether_small_2x.pth", "aether_small_2x.engine", options)
    """

    runtime: str = "auto"
    """One of `RUNTIMES`."""
    targets: str | Sequence[str] = ()
    """See `choose_targets`; empty for the GPU that is here, or all there are."""
    shapes: Shapes = field(default_factory=Shapes)
    workspace: int | None = None
    """MiB of scratch memory at most, from 1; None for TensorRT's default, all there is."""
    optimization_level: int | None = None
    """0..5, how long to look for fast kernels; None for TensorRT's default, 3."""
    timing_cache: Path | None = None

    def __post_init__(self) -> None:
        check_choice("runtime", self.runtime, RUNTIMES)
        check_choice("optimization_level", self.optimization_level, (None, *_LEVELS))
        if self.workspace is not None and self.workspace < 1:
            raise ArgumentError(f"workspace is {self.workspace}: expected MiB from 1 on, or None")


@dataclass(frozen=True)
class Plan:
    """What would be built from a model."""

    source: OnnxSource
    runtime: Runtime | None
    gpu: Gpu | None
    targets: tuple[str, ...]
    profile: Profile | None
    timing_cache: Path | None
    notes: tuple[Message, ...]
    """What a user should know."""
    problems: tuple[Message, ...]
    """Why it cannot be built."""


class SourceOptions(TypedDict, total=False):
    """The arguments of `build_engine` that are for networks and checkpoints."""

    name: str | None
    precision: str | Precision | None
    weights: Weights
    calibration: Path | CalibrationImages | None
    progress: Progress


def plan_build(
    source: EngineInput,
    options: BuildOptions | None = None,
    **exporting: Unpack[SourceOptions],
) -> Plan:
    """Find out what `build_engine` would build, and every reason why it would not.

    `exporting` is as in `build_engine`; a network is exported, and not verified. Raises what `build_engine`
    raises for a source that cannot be read or is not a network on images.
    """
    return plan_source(open_source(source, verified=False, **exporting), options or BuildOptions())


def plan_source(source: OnnxSource, options: BuildOptions) -> Plan:
    """Find out what would be built from a model that was read, and every reason why it would not."""
    problems = [Message(f"{source.name} is refused: {error}") for error in source.errors]

    def tried(step: Callable[[], _Found]) -> _Found | None:
        try:
            return step()
        except EngineError as error:
            problems.append(error.message)
            return None

    gpu = present_gpu()
    runtime = tried(lambda: find_runtime(options.runtime))
    profile = tried(lambda: fit_profile(source, options.shapes))
    targets = None
    if runtime:
        targets = tried(lambda: choose_targets(runtime, options.targets, gpu, source))
    targets = targets or Targets(())
    notes = [targets.note] if targets.note else []
    cache = None
    if options.timing_cache and runtime and runtime.name == "rtx":
        # docs.nvidia.com/deeplearning/tensorrt-rtx: the cache has no effect, and using it takes a GPU.
        unused = Hint("{timing_cache} is not used")
        notes.append(Message(f"{TITLES['rtx']} times nothing while it builds", unused))
    elif options.timing_cache and runtime and gpu:
        cache = cache_file(options.timing_cache, runtime.version, gpu.name)
    if source.warnings:
        notes.append(Message(f"the linter has {source.warnings} warnings: lint the ONNX model to list them"))
    return Plan(source, runtime, gpu, targets.capabilities, profile, cache, tuple(notes), tuple(problems))
