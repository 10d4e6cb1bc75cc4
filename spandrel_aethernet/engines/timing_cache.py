"""Timings of kernels that classic TensorRT measured, kept in a file from one build to the next."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import replacing

if TYPE_CHECKING:
    import tensorrt as trt


def cache_file(given: Path, version: str, gpu: str) -> Path:
    """Return the file for timings of one TensorRT version on one GPU: `given` with both in its name."""
    key = re.sub(r"[^a-z0-9.]+", "-", f"{version} {gpu}".lower()).strip("-")
    return given.with_name(f"{given.stem}.{key}{given.suffix}")


def load_timings(config: trt.IBuilderConfig, path: Path) -> None:
    """Give a build the timings in a file; none, if it is not there or TensorRT does not take it."""
    cache = config.create_timing_cache(_content(path))  # None if it is damaged, whatever the stubs say
    if not cache or not config.set_timing_cache(cache, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)


def save_timings(config: trt.IBuilderConfig, path: Path) -> None:
    """Write what a build measured, with what another one may have written meanwhile.

    The file is replaced whole. Of two builds that end in the same moment, one may have to measure again
    next time what the other had. Raises `OutputError`.
    """
    cache = config.get_timing_cache()
    if not cache:
        return
    if (written := _content(path)) and (others := config.create_timing_cache(written)):
        cache.combine(others, False)
    serialised: Any = cache.serialize()
    with replacing(path, force=True) as partial:
        partial.write_bytes(memoryview(serialised))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # not there, or what `save_timings` finds out
        return b""
