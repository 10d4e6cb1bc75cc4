"""What tests run in other processes; without pytest's modules, which load PyTorch."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spandrel_aethernet.engines.build import build_engine
from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.cache import cached_engine
from spandrel_aethernet.engines.timing_cache import load_timings, save_timings
from spandrel_aethernet.progress import Silent


def server() -> Any:
    """Return what starts processes that have loaded this module, where the system can."""
    context: Any = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    if sys.platform != "win32":
        context.set_forkserver_preload([__name__])
    return context


def build_in_turn(sources: Sequence[Path], target: Path, options: BuildOptions) -> None:
    """Build one engine over the other until killed."""
    while True:
        for source in sources:
            build_engine(source, target, options, force=True)


def build(source: Path, target: Path, options: BuildOptions) -> None:
    """Build once."""
    build_engine(source, target, options)


class Steps(Silent):
    """Notes which steps were begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:  # noqa: ARG002
        """Note a step."""
        self.begun.append(step)


def fill_cache(
    source: Path, options: BuildOptions, folder: Path, tell: Callable[[list[str]], object]
) -> None:
    """Ask the cache for an engine, and tell which steps that took."""
    steps = Steps()
    cached_engine(source, options, folder=folder, progress=steps)
    tell(steps.begun)


def save_often(path: Path, times: int) -> None:
    """Load and save timings, as many builds do one after the other."""
    rtx: Any = importlib.import_module("tensorrt_rtx")
    warnings.simplefilter("ignore", DeprecationWarning)
    builder = rtx.Builder(rtx.Logger(rtx.Logger.INTERNAL_ERROR))
    config = builder.create_builder_config()
    for _ in range(times):
        load_timings(config, path)
        save_timings(config, path)
