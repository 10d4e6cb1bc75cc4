"""What would be built from an ONNX file, and why it would not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ..errors import EngineError
from ..shapes import Profile
from .profile import Shapes, fit_profile
from .runtime import TITLES, Flavour, find_flavour
from .source import OnnxSource, read_source
from .targets import Gpu, Targets, choose_targets, present_gpu
from .timing_cache import cache_file

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class BuildOptions:
    """How to build."""

    runtime: str = "auto"
    """One of `FLAVOURS`."""
    targets: Sequence[str] = ()
    """See `choose_targets`; empty for the GPU that is here, or all there are."""
    shapes: Shapes = field(default_factory=Shapes)
    workspace: int | None = None
    """MiB of scratch memory at most; None for TensorRT's default, all there is."""
    level: int | None = None
    """0..5, how long to look for fast kernels; None for TensorRT's default, 3."""
    timing_cache: Path | None = None


@dataclass(frozen=True)
class Plan:
    """What would be built from an ONNX file."""

    source: OnnxSource
    flavour: Flavour | None
    gpu: Gpu | None
    targets: tuple[str, ...]
    profile: Profile | None
    timing_cache: Path | None
    notes: tuple[str, ...]
    """What a user should know."""
    problems: tuple[str, ...]
    """Why it cannot be built, a sentence each."""


def plan_build(onnx: Path, options: BuildOptions) -> Plan:
    """Find out what would be built, and every reason why it would not.

    Raises `OnnxError` or `EngineError` for a file that cannot be read or is no network on images.
    """
    source = read_source(onnx)
    problems = [f"{onnx.name} is refused: {error}" for error in source.errors]

    def tried(step: Callable[[], _Found]) -> _Found | None:
        try:
            return step()
        except EngineError as error:
            problems.append(str(error))
            return None

    gpu = present_gpu()
    flavour = tried(lambda: find_flavour(options.runtime))
    profile = tried(lambda: fit_profile(source, options.shapes))
    targets = None
    if flavour:
        targets = tried(lambda: choose_targets(flavour, options.targets, gpu, source))
    targets = targets or Targets(())
    notes = [targets.note] if targets.note else []
    cache = None
    if options.timing_cache and flavour and flavour.name == "rtx":
        # docs.nvidia.com/deeplearning/tensorrt-rtx: the cache has no effect, and using it takes a GPU.
        notes.append(f"{TITLES['rtx']} times nothing while it builds: --timing-cache is not used")
    elif options.timing_cache and flavour and gpu:
        cache = cache_file(options.timing_cache, flavour.version, gpu.name)
    if source.warnings:
        notes.append(f"the linter has {source.warnings} warnings: aethernet lint lists them")
    return Plan(source, flavour, gpu, targets.capabilities, profile, cache, tuple(notes), tuple(problems))
