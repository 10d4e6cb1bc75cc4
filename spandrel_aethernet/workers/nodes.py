"""Whether the nodes of a Ray cluster have what a worker needs: the package, the model, the shared folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import AetherError, OutputError
from ..files import sha256
from ..partials import partial_path
from .tasks import ModelSpec


def check_nodes(library: Any, nodes: Sequence[Any], spec: ModelSpec, outputs: Sequence[Path]) -> None:
    """Raise `AetherError` with a sentence for each node that lacks something.

    `outputs` are to be written into one folder; raises `OutputError` if nothing can be written there.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    digest = sha256(spec.path)
    folder = _nearest_folder(outputs)
    with _shared_file(folder) as token:
        checked: list[tuple[str, Any]] = []
        for node in nodes:
            here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            check = library.remote(num_cpus=0, scheduling_strategy=here, max_retries=0)(lack_of_node())
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            checked.append((name, check.remote(__version__, str(spec.path), digest, token)))
        lacking: list[str] = []
        for name, answer in checked:
            try:
                lack = library.get(answer)
            except library.exceptions.RayError as error:
                lack = f"cannot be asked: {str(error).strip().splitlines()[-1]}"
            if lack:
                lacking.append(f"node {name} {lack}")
    if lacking:
        raise AetherError("; ".join(lacking))


def lack_of_node() -> Callable[[str, str, str, str | None], str | None]:
    """Return what tells, run on a node, what that lacks: the package, the model or the shared folder.

    It is a function in a function, since Ray sends those as they are: a node may not have this module.
    """

    def lack(version: str, model: str, digest: str, token: str | None) -> str | None:
        import hashlib
        import tempfile
        from pathlib import Path

        try:
            import spandrel_aethernet
        except ImportError:
            return f"lacks the package spandrel-aethernet: install {version} there"
        found = spandrel_aethernet.__version__
        if found != version:
            return f"has spandrel-aethernet {found}, and this machine {version}: install the same"
        try:
            content = Path(model).read_bytes()
        except OSError as error:
            return f"cannot read {model} ({error.strerror}): put it into a folder that all nodes share"
        if hashlib.sha256(content).hexdigest() != digest:
            return f"has another {model} than this machine: put it into a folder that all nodes share"
        if token is not None:
            folder = Path(token).parent
            if not Path(token).is_file():
                return (
                    f"does not see what this machine writes to {folder}: choose a folder that all nodes share"
                )
            try:
                with tempfile.TemporaryFile(dir=folder):
                    pass
            except OSError as error:
                return f"cannot write to {folder}: {error.strerror}"
        return None

    return lack


def _nearest_folder(outputs: Sequence[Path]) -> Path | None:
    """Return the folder that exists and is nearest above all files."""
    if not outputs:
        return None
    above = Path(os.path.commonpath([path.absolute().parent for path in outputs]))
    return next(folder for folder in (above, *above.parents) if folder.is_dir())


@contextmanager
def _shared_file(folder: Path | None) -> Generator[str | None]:
    """Yield the path of a hidden file that is there for the time of the block."""
    if folder is None:
        yield None
        return
    path = partial_path(folder / "shared", "")
    try:
        path.touch()
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror}") from error
    try:
        yield str(path)
    finally:
        path.unlink(missing_ok=True)
