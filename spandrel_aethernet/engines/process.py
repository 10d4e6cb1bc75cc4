"""The process that builds an engine, from outside: started, listened to, ended."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, Any

from ..errors import EngineError, Hint
from ..interpreter import import_paths, start_python
from ..partials import remove_abandoned
from .worker import GRACE_SECONDS, BuildJob

_POLL_SECONDS = 0.1
"""How long to wait at once: callers may stop a build, and Windows tells of Ctrl-C, only between two waits."""
_LAST = ("built", "refused", "failed", "unwritable")
_START = """
import json, sys
request = json.loads(sys.stdin.buffer.readline())
sys.path[:] = request["path"]
from spandrel_aethernet.engines.worker import main
main(request)
"""


def run_job(
    job: BuildJob,
    model: bytes | None,
    on_event: Callable[[dict[str, Any]], None],
    *,
    title: str,
    name: str,
    poll: Callable[[], object] = lambda: None,
) -> str:
    """Build in a child process and return TensorRT's list of layers, which may be empty.

    `model` holds an ONNX model, unless the job names its file. `on_event` is given what is sent before the
    end, `poll` is called ten times a second; `title` and `name` stand in errors for TensorRT and the source.
    An exception, KeyboardInterrupt too, ends the process at once. Raises `EngineError` if TensorRT refuses
    the model, fails or crashes, and OSError if the engine cannot be written.
    """
    with TemporaryFile() as errors, _started(job, model or b"", errors) as process:
        for event in _events(process, poll):
            if event["kind"] in _LAST:
                return _outcome(event, title, name)
            on_event(event)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
    raise EngineError(
        f"{title} crashed on {name} ({': '.join([how, *said[-1:]])}): "
        "try another version of it, or export the file again"
    )


def plain(text: str) -> str:
    """Take what only TensorRT's developers can use from one of its sentences."""
    text = re.sub(r"^.*?Error Code \d+: ", "", text.strip().removeprefix("(foreignNode) "))
    text = re.sub(r"^[\w ]+ \((?:\[[^\]]*\] )?(.*)\)$", r"\1", text, flags=re.DOTALL)
    return re.split(r"\.? In \w+ at /", text)[0].strip().rstrip(".:")


def _outcome(event: dict[str, Any], title: str, name: str) -> str:
    if event["kind"] == "built":
        return event["layers"] or ""
    if event["kind"] == "unwritable":
        raise OSError(event["reason"])
    if event["kind"] == "failed":
        reason = event["reason"]
        raise EngineError(f"{title} cannot build {name}: {plain(reason)}", _remedy(reason))
    first, *others = event["errors"] or [{"node": "", "code": "it does not say why", "said": ""}]
    where = f"at {first['node']} ({first['operator']}): " if first["node"] else ""
    said = re.sub(r"^Assertion failed: .*?: (?=[A-Z])", "", first["said"])
    reason = plain(f"{first['code']}, {said}" if " " in said else first["code"])
    more = f", and {len(others)} more" if others else ""
    raise EngineError(
        f"{title} refuses {name}: {where}{reason}{more}: export it again, without that operator"
    )


def _remedy(reason: str) -> Hint:
    if "OutOfMemory" in reason or "workspace" in reason:
        return Hint("give a smaller {max_shapes}, or more {workspace} if you limited it")
    return Hint("{verbose} shows all it says", verbose=True)


@contextmanager
def _started(job: BuildJob, model: bytes, errors: IO[bytes]) -> Generator[subprocess.Popen[bytes]]:
    request = {"path": import_paths(), "job": asdict(job), "bytes": len(model)}
    with start_python(_START, errors) as process:
        assert process.stdin is not None
        try:
            with suppress(BrokenPipeError):  # it ended already, and is found to have crashed
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.write(model)
                process.stdin.flush()
            yield process
        finally:
            with suppress(OSError):
                process.stdin.close()
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            except BaseException:
                process.kill()
                raise
            finally:
                process.wait()
                if job.timing_cache:  # it may have been writing them
                    remove_abandoned(Path(job.timing_cache))


def _events(process: subprocess.Popen[bytes], poll: Callable[[], object]) -> Iterator[dict[str, Any]]:
    lines: SimpleQueue[bytes] = SimpleQueue()
    stream = process.stdout
    assert stream is not None

    def listen() -> None:
        for line in stream:
            lines.put(line)
        process.wait()
        lines.put(b"")

    Thread(target=listen, daemon=True).start()
    due = time.monotonic() + _POLL_SECONDS
    while True:
        if time.monotonic() >= due:  # messages may come without end, and tell nothing of progress
            poll()
            due = time.monotonic() + _POLL_SECONDS
        try:
            line = lines.get(timeout=max(due - time.monotonic(), 0))
        except Empty:
            continue
        if not line.endswith(b"\n"):  # the end, or a message cut short by it
            return
        yield json.loads(line)
