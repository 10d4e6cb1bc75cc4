"""What `aethernet info` tells of a TensorRT engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..engines.header import read_header
from ..engines.runtime import TITLES, version_problem
from ..engines.sidecar import describe, read_sidecar
from .console import print_json, print_rows
from .engine_text import rows


def tell_engine(file: Path, *, as_json: bool) -> None:
    """Print what lies beside an engine, or what its own bytes tell.

    Raises `EngineError` for one that cannot be read, is truncated or is not the one described.
    """
    header, info = read_header(file), read_sidecar(file)
    origin = info or header
    problem = version_problem(origin.runtime, origin.version) if origin else None
    known = (
        describe(info)
        if info
        else {"flavour": header and header.runtime, "version": header and header.version}
    )
    size = file.stat().st_size
    if as_json:
        print_json(
            {"file": str(file), "size": size, "described": info is not None, **known, "problem": problem}
        )
        return
    table: dict[str, Any] = {"file": str(file), "size": f"{size / 1e6:.1f} MB"}
    if info:
        built = f"in {info.build_seconds:.1f} s by spandrel-aethernet {info.package_version}"
        scale = f"{info.scale}x" if info.scale else "unknown"
        table |= {"source": info.source, "scale": scale, **rows(info), "built": built}
    else:
        built = (
            f"{TITLES[header.runtime]} {header.version}"
            if header
            else "unknown: no engine of a kind known here"
        )
        table |= {"runtime": built, "the rest": f"is not known: there is no {file.name}.json beside it"}
    if problem:
        table["here"] = problem
    print_rows(table)
