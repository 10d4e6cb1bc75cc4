"""Workers that are actors of a Ray cluster: Ray places and replaces them, and runs their tasks again.

Paths travel, so all nodes see the same folders; see `check_nodes` for what else each needs.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import AetherError, ArgumentError, Hint, missing_extras
from .deal import POLL_SECONDS, WorkerDied
from .nodes import check_nodes
from .processes import QUIET_THREADS
from .ray_address import check_answers
from .tasks import ModelSpec, Worker

LOCAL = "local"
"""Instead of an address: start a cluster of this machine."""
_RETRIES = 2
"""How many times Ray runs a task again whose actor died."""
_IDLE_SECONDS = 60
"""How long a worker keeps its GPU while nothing is left for it and others are busy."""
_STORE_BYTES = 100 * 2**20
"""Shared memory of a cluster that is started here, for paths and outcomes only."""
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray tells its makers of each cluster unless this is off
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # started by `uv run`, it would copy this folder to all workers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns of what it will do otherwise
}


@contextmanager
def cluster(
    spec: ModelSpec, threads: int, address: str, *, workers: int | None = None, outputs: Sequence[Path] = ()
) -> Generator[Actors]:
    """Connect to a cluster, or start one if the address is `local`, and yield its actors.

    They end with the block. There is one for each GPU, or for each node where there are none or
    `spec.device` is `cpu`, unless `workers` says how many. `outputs` are files that are to be written. Raises
    `ArgumentError` for more workers than GPUs, `MissingPackageError` without Ray, and `AetherError` if the
    cluster does not answer or a node lacks something.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with missing_extras():
        import ray
    library: Any = ray
    spec = replace(spec, path=spec.path.absolute())
    with _connected(library, address):
        gpus = 0 if spec.device == "cpu" else int(library.cluster_resources().get("GPU", 0))
        nodes = [
            node
            for node in library.nodes()
            if node["Alive"] and node["Resources"].get("GPU" if gpus else "CPU")
        ]
        count = workers or gpus or len(nodes)
        if gpus and count > gpus:
            raise ArgumentError(f"{count} workers are more than the GPUs of the cluster, {gpus}")
        if not nodes:
            raise AetherError("no node of the Ray cluster has a CPU to give")
        check_nodes(library, nodes, spec, outputs)
        yield Actors(library, spec, threads, count, on_gpu=bool(gpus))


@contextmanager
def _connected(library: Any, address: str) -> Generator[None]:
    """Connect for the time of the block, unless this process is connected already."""
    if address != LOCAL:
        check_answers(address)
    if library.is_initialized():
        yield
        return
    options: dict[str, Any] = {
        "address": LOCAL,
        "include_dashboard": False,
        "object_store_memory": _STORE_BYTES,
    }
    if address != LOCAL:
        options = {"address": address}
    ours = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        try:
            library.init(**options, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, OSError, ImportError) as error:
            where = "a local Ray cluster" if address == LOCAL else f"the Ray cluster at {address}"
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            hint = Hint("if it asks for a token, set RAY_AUTH_MODE=token in the environment")
            raise AetherError(
                f"{where} cannot be used: {reason}", None if address == LOCAL else hint
            ) from error
        if ours:
            signal.signal(signal.SIGTERM, handler)  # Ray's own ends this process with another exit code
        yield
    finally:
        try:
            library.shutdown()
        except KeyboardInterrupt:  # one that came before ends the next import too, and that may be here
            library.shutdown()
            raise


class Actors:
    """Ray actors as `Hands`."""

    tries = 1  # Ray has run a task again that comes back as one that its worker died of

    def __init__(self, library: Any, spec: ModelSpec, threads: int, count: int, *, on_gpu: bool) -> None:
        """Let Ray place as many as `count`."""
        self.count = count
        self._ray = library
        options: dict[str, Any] = {
            "max_restarts": -1,
            "max_task_retries": _RETRIES,
            "scheduling_strategy": "SPREAD",
        }
        if on_gpu:
            options["num_gpus"] = 1
        else:
            options["runtime_env"] = {"env_vars": QUIET_THREADS}
        self._new = partial(library.remote(**options)(Worker).remote, spec, threads)
        self._actors: dict[int, Any] = {}
        self._asked: dict[Any, int] = {}
        self._idle: dict[int, float] = {}
        self._left: list[Any] = []

    def ask(self, hand: int, name: str, *arguments: object) -> None:
        """Call a method of a worker."""
        self._end_left()
        self._idle.pop(hand, None)
        if hand not in self._actors:
            self._actors[hand] = self._new()
        self._asked[getattr(self._actors[hand], name).remote(*arguments)] = hand

    def answers(self) -> Iterator[tuple[int, Callable[[], Any]]]:
        """Yield what came."""
        done, _ = self._ray.wait([*self._asked], num_returns=1, timeout=POLL_SECONDS)
        for answer in done:
            yield self._asked.pop(answer), partial(self._answer, answer)

    def stop(self) -> None:
        """Let the workers that have not answered end before others are asked, or with the connection."""
        self._left += [self._actors.pop(hand) for hand in self._asked.values()]
        self._asked.clear()

    def rest(self, hand: int) -> None:
        """After a while, give back a worker's GPU: one that died with its node may be waiting for it."""
        since = self._idle.setdefault(hand, time.monotonic())
        if hand in self._actors and time.monotonic() - since > _IDLE_SECONDS:
            self._left.append(self._actors.pop(hand))
            self._end_left()

    def _end_left(self) -> None:
        while self._left:
            self._ray.kill(self._left.pop())

    def _answer(self, answer: Any) -> Any:
        try:
            return self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, AetherError):
                raise error.cause from None
            raise
        except self._ray.exceptions.RayActorError as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise WorkerDied(f"Ray ran it {1 + _RETRIES} times; {reason}") from error
