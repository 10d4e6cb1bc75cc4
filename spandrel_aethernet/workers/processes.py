"""Workers that are processes of this machine: started, listened to, ended.

What a process imports first is imported from here, so nothing heavy is: what is set in its environment must
be there before PyTorch is.
"""

from __future__ import annotations

import _thread
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from traceback import format_exc
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ..errors import AetherError
from .deal import POLL_SECONDS, WorkerDied

if TYPE_CHECKING:
    from .tasks import ModelSpec

QUIET_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
"""Lets the threads of several processes share cores: they sleep while they wait for each other."""
_GRACE_SECONDS = 2.0
"""How long a worker may take to finish the files that it is writing."""


class Processes:
    """One process for each model given; a context manager that ends them at once, whatever they are at.

    A process ignores Ctrl-C, which a terminal sends to all of its group, and ends when this one does.
    """

    tries = 3

    def __init__(self, models: Sequence[tuple[ModelSpec, Mapping[str, str]]], threads: int) -> None:
        """Take the model of each and what is set in its environment; see `Worker` for the threads."""
        self.count = len(models)
        self._models, self._threads = models, threads
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[int, tuple[Any, Connection]] = {}
        self._asked: set[int] = set()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._end([*self._running])

    def stop(self) -> None:
        """End those that have not answered."""
        self._end([*self._asked])
        self._asked.clear()

    def _end(self, hands: Sequence[int]) -> None:
        """End workers, after the files that they are writing."""
        ended = [self._running.pop(hand) for hand in hands]
        processes = [process for process, _ in ended]
        for _, connection in ended:
            connection.close()
        deadline = time.monotonic() + _GRACE_SECONDS
        try:
            for process in processes:
                process.join(max(deadline - time.monotonic(), 0))
        finally:
            for process in processes:
                process.kill()
                process.join()

    def ask(self, hand: int, name: str, *arguments: object) -> None:
        """Call a method of a worker."""
        if hand not in self._running:
            self._running[hand] = self._started(hand)
        self._asked.add(hand)
        _, connection = self._running[hand]
        with suppress(OSError):  # it ended, and is found to have
            connection.send((name, arguments))

    def answers(self) -> Iterator[tuple[int, Callable[[], Any]]]:
        """Yield what came."""
        asked: dict[Any, int] = {self._running[hand][1]: hand for hand in self._asked}
        for connection in cast("list[Any]", wait(list(asked), POLL_SECONDS)):
            hand = asked[connection]
            self._asked.remove(hand)
            try:
                result, error = connection.recv()
            except (EOFError, OSError):
                yield hand, partial(_returned, None, WorkerDied(self._ended(hand)))
                continue
            yield hand, partial(_returned, result, error)

    def rest(self, hand: int) -> None:
        """Let it wait."""

    def _started(self, hand: int) -> tuple[Any, Connection]:
        spec, environment = self._models[hand]
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, dict(environment)), daemon=True)
        with _unheard_interrupts():
            process.start()
        theirs.close()
        with suppress(OSError):
            ours.send((spec, self._threads))
        return process, ours

    def _ended(self, hand: int) -> str:
        process, connection = self._running.pop(hand)
        connection.close()
        process.join()
        code = process.exitcode
        return f"signal {-code}" if code < 0 else f"exit code {code}"


@contextmanager
def _unheard_interrupts() -> Generator[None]:
    """Let a process that is started never hear of Ctrl-C; this one does, after the block."""
    if sys.platform == "win32":
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    ensure_running()  # older Pythons let Ctrl-C be heard again when they start this
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _returned(result: object, error: BaseException | None) -> object:
    if error is not None:
        raise error
    return result


def _serve(connection: Connection, environment: Mapping[str, str]) -> NoReturn:
    """Be a worker: answer what comes until nothing can come any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.update(environment)
    requests: SimpleQueue[bytes] = SimpleQueue()
    busy = threading.Lock()
    threading.Thread(target=_listen, args=(connection, requests, busy), daemon=True).start()
    with suppress(KeyboardInterrupt, OSError):
        _answer(connection, requests, busy)
    os._exit(0)  # the interpreter's own end would meet threads that are still at work


def _answer(connection: Connection, requests: SimpleQueue[bytes], busy: threading.Lock) -> None:
    spec, threads = pickle.loads(requests.get())  # noqa: S301  (our parent's)
    from .tasks import Worker

    worker = Worker(spec, threads)
    while True:
        name, arguments = pickle.loads(requests.get())  # noqa: S301
        result = error = None
        try:
            if name == "run":
                with busy:
                    result = worker.run(*arguments)
            else:
                result = getattr(worker, name)(*arguments)
        except AetherError as raised:
            error = raised
        except Exception:
            error = RuntimeError(format_exc())
        connection.send((result, error))


def _listen(connection: Connection, requests: SimpleQueue[bytes], busy: threading.Lock) -> None:
    """Take what comes; when the parent is gone, or wants no more, end after files that are being written."""
    with suppress(EOFError, OSError):
        while True:
            requests.put(connection.recv_bytes())
    _thread.interrupt_main(signal.SIGTERM)
    busy.acquire(timeout=_GRACE_SECONDS)
    os._exit(0)
