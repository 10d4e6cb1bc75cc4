"""chaiNNer's own backend as a process: started with our nodes in it, run through its HTTP interface."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener
from uuid import uuid4

from typing_extensions import Self

from .events import Event, EventStream
from .graphs import Graph, Json, Options, run_request

REPOSITORY = Path(__file__).parents[2]
_START_SECONDS = 300
_RUN_SECONDS = 900
_ON_CPU: Options = {
    "chaiNNer_pytorch": {"use_cpu": True, "use_fp16": False},
    "chaiNNer_onnx": {"execution_provider": "CPUExecutionProvider"},
}

# Python runs `sitecustomize` as it starts, like the line that the installer puts into a `.pth` file.
_BOOT = """\
from importlib.machinery import PathFinder

missing = {missing!r}
find_spec = PathFinder.find_spec


def find_present(name, path=None, target=None):
    return None if name.partition(".")[0] in missing else find_spec(name, path, target)


PathFinder.find_spec = find_present
{boot}
"""


class NodeError(Exception):
    """A node failed: `str()` of it is what chaiNNer's user reads."""

    def __init__(self, node_id: str, schema_id: str, message: str) -> None:
        super().__init__(message)
        self.node_id, self.schema_id, self.message = node_id, schema_id, message


class Backend:
    """A running backend; use it in a `with` statement.

    `source` is a checkout of chaiNNer, `folder` an empty folder for what the backend writes. `python` is the
    interpreter to run it with. `without` names top-level modules that it shall not find, as if they were not
    installed. Our nodes get in from this repository, unless `boot` is False: then only what is installed
    there does. `environment` is added to this process' own, `paths` to where modules are looked for.
    `loading_log` is what it had written when it was ready for its first run.
    """

    def __init__(
        self,
        source: Path,
        folder: Path,
        *,
        python: str = sys.executable,
        without: Collection[str] = (),
        boot: bool = True,
        environment: Mapping[str, str] | None = None,
        paths: Sequence[Path] = (),
    ) -> None:
        self.source, self.folder, self.python = source, folder, python
        self._hook = _BOOT.format(missing=set(without), boot="import chainner_nodes._boot" if boot else "")
        self._paths = [str(path) for path in (folder / "hooks", *([REPOSITORY] if boot else []), *paths)]
        self._environment = environment or {}

    def __enter__(self) -> Self:
        hook = self.folder / "hooks" / "sitecustomize.py"
        hook.parent.mkdir(parents=True)
        hook.write_text(self._hook)
        self.port = _free_port()
        folders = [f"--{kind}-dir={self.folder / kind}" for kind in ("storage", "logs")]
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [self.python, "server.py", str(self.port), *folders],
                cwd=self.source / "backend" / "src",
                env={
                    **os.environ,
                    "CHECK_LEVEL": "error",
                    "PYTHONPATH": os.pathsep.join(self._paths),
                    "PYTHONUTF8": "1",
                    **self._environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_loaded()
            self.loading_log = self.log
            self._stream = EventStream(self.port)
        except BaseException:
            self._stop()
            raise
        self._pool = ThreadPoolExecutor()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._pool.shutdown()

    @property
    def log(self) -> str:
        """All that the backend has written to stdout and stderr so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    @cached_property
    def description(self) -> Json:
        """What `/nodes` says: nodes, categories and categoriesMissingNodes."""
        return self._call("/nodes")

    def nodes(self) -> dict[str, Json]:
        """Return the nodes by schema id."""
        return {node["schemaId"]: node for node in self.description["nodes"]}

    def packages(self) -> dict[str, Json]:
        """Return the packages by id, with their settings and dependencies."""
        return {package["id"]: package for package in self._call("/packages")}

    @cached_property
    def options(self) -> dict[str, Json]:
        """The settings of all packages by package id: chaiNNer's defaults, but on the CPU in FP32."""
        return {
            name: {setting["key"]: setting["default"] for setting in package["settings"]}
            | _ON_CPU.get(name, {})
            for name, package in self.packages().items()
        }

    def graph(self) -> Graph:
        """Return an empty graph of this backend's nodes."""
        return Graph(self.nodes())

    def run(self, graph: Graph | list[Json], options: Options | None = None) -> list[Event]:
        """Run a graph, or nodes as chaiNNer's frontend hands them over, to its end and return its events.

        `options` replace settings in `self.options`. A run that was killed returns too. Raises NodeError if a
        node fails (without words if chaiNNer's own node was killed), RuntimeError if anything else does.
        """
        settings = self.options | {
            name: self.options.get(name, {}) | values for name, values in (options or {}).items()
        }
        nodes = graph.nodes if isinstance(graph, Graph) else graph
        start = len(self.events())
        answer = self._call("/run", run_request(nodes, settings))
        self._flush(start)
        if answer["type"] == "success":
            ids = {None, *(node["id"] for node in nodes)}
            return [event for event in self.events(start) if event.node in ids]
        if source := answer.get("source"):
            raise NodeError(source["nodeId"], source["schemaId"], answer["exception"])
        raise RuntimeError(f"{answer['message']} {answer.get('exception', '')}".strip())

    def run_in_background(
        self, graph: Graph | list[Json], options: Options | None = None
    ) -> Future[list[Event]]:
        """Start `run` and return at once; the future's `result()` is what `run` returns or raises."""
        return self._pool.submit(self.run, graph, options)

    def kill(self) -> None:
        """Cancel the run, as chaiNNer's stop button does, and return once it has ended."""
        self._call("/kill", {})

    def events(self, start: int = 0) -> list[Event]:
        """Return the events since this backend started, from the one at position `start` on."""
        return self._stream.since(start)

    def wait_for(self, name: str, node: str, *, start: int = 0, timeout: float = 120) -> Event:
        """Return the first event of that name about that node as it comes (see `EventStream.wait`)."""
        return self._stream.wait(
            lambda event: (event.name, event.node) == (name, node), start=start, timeout=timeout
        )

    @property
    def _log_path(self) -> Path:
        return self.folder / "backend.log"

    def _flush(self, start: int) -> None:
        """Wait until all events so far have come: they keep their order, so a new one comes after them."""
        node = str(uuid4())
        request: Json = {"id": node, "schemaId": "chainner:utility:number", "inputs": [1], "options": {}}
        self._call("/run/individual", request)
        self.wait_for("node-finish", node, start=start)

    def _wait_until_loaded(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"chaiNNer's backend ended while it started:\n{self.log[-4000:]}")
            try:
                if self._call("/nodes", timeout=end - time.monotonic())["nodes"]:
                    return
            except URLError:
                pass  # it does not listen yet
            time.sleep(0.1)
        raise RuntimeError(f"chaiNNer's backend did not start in {_START_SECONDS} s:\n{self.log[-4000:]}")

    def _call(self, path: str, body: Json | None = None, timeout: float = _RUN_SECONDS) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"})
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=timeout) as response:
                return json.load(response)
        except HTTPError as error:
            answer = error.read()
            if b'"type"' in answer:  # chaiNNer's own answer to what went wrong
                return json.loads(answer)
            raise RuntimeError(f"{path}: {error}\n{self.log[-4000:]}") from error

    def _stop(self) -> None:
        if sys.platform == "win32":
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(self._process.pid)], check=False)  # noqa: S607
        else:
            with suppress(ProcessLookupError):  # it ended by itself
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
