"""Threads that work ahead of whoever takes their results, within bounds."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

from ..errors import ArgumentError

Item = TypeVar("Item")
Result = TypeVar("Result")
_POLL_SECONDS = 0.1
"""How long to wait at once: Windows tells of Ctrl-C, and a thread learns that all is over, only between."""
_PATIENCE_SECONDS = 0.5
"""How long threads may take to come to an end before they are left alone."""
_MOST_THREADS = 256


@dataclass(frozen=True)
class Threads:
    """How many threads read and how many write."""

    load: int
    save: int

    @classmethod
    def parse(cls, text: str) -> Threads:
        """Read `LOAD:SAVE`. Raises `ArgumentError`."""
        try:
            load, save = (int(part) for part in text.split(":"))
        except ValueError:
            load = save = 0
        if not (1 <= load <= _MOST_THREADS and 1 <= save <= _MOST_THREADS):
            raise ArgumentError(
                f"threads {text!r}: expected LOAD:SAVE, each from 1 to {_MOST_THREADS}, such as 2:4"
            )
        return cls(load, save)

    @classmethod
    def default(cls) -> Threads:
        """Return what suits this machine: writing takes longer than reading, larger images being written."""
        cores = os.cpu_count() or 1
        return cls(load=1 + cores // 8, save=1 + cores // 4)

    def __str__(self) -> str:
        return f"{self.load}:{self.save}"


class Cancelled(Exception):  # noqa: N818  (nothing went wrong)
    """Ends a thread whose results nobody waits for any more."""


class Crew:
    """Threads that end when the block does: at once if it ends with an exception, whatever they are at.

    They are daemons, since what they are at may take long and cannot be cut short; only what is in a
    `committing` block is waited for, so that no half file stays.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._writing = threading.Lock()
        self._writers = 0

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        with self._writing:
            self._over.set()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        while self._writers:
            time.sleep(_POLL_SECONDS / 10)

    @contextmanager
    def committing(self) -> Generator[None]:
        """Let the block finish whatever happens; raises `Cancelled` before it if all is over."""
        with self._writing:
            self.check()
            self._writers += 1
        try:
            yield
        finally:
            with self._writing:
                self._writers -= 1

    def check(self) -> None:
        """Raise `Cancelled` if all is over."""
        if self._over.is_set():
            raise Cancelled

    def ahead(
        self, function: Callable[[Item], Result], source: Iterable[Item], *, threads: int = 1, room: int = 1
    ) -> Iterator[Result]:
        """Yield what a function makes of each item, in order, its threads up to `room` results ahead.

        Up to `threads` + `room` items are taken from `source` before the first result is asked for, by
        one thread at a time. What the source or the function raises comes in its turn, and is the last.
        """
        results: SimpleQueue[Future[Result] | None] = SimpleQueue()
        slots = threading.Semaphore(threads + room)
        pulling, items = threading.Lock(), iter(source)

        def next_slot() -> tuple[Future[Result], Item] | None:
            slot: Future[Result] = Future()
            with pulling:
                try:
                    item = next(items)
                except StopIteration:
                    results.put(None)
                    return None
                except BaseException as error:
                    slot.set_exception(error)
                    results.put(slot)
                    return None
                results.put(slot)
                return slot, item

        def work() -> None:
            while self._acquired(slots) and (found := next_slot()):
                slot, item = found
                try:
                    slot.set_result(function(item))
                except BaseException as error:
                    slot.set_exception(error)

        for _ in range(threads):
            self._threads.append(threading.Thread(target=work, daemon=True, name="ahead"))
            self._threads[-1].start()
        return self._taken(results, slots)

    def _taken(
        self, results: SimpleQueue[Future[Result] | None], slots: threading.Semaphore
    ) -> Iterator[Result]:
        while slot := self._got(results):
            while not wait([slot], timeout=_POLL_SECONDS).done:
                self.check()
            yield slot.result()
            slots.release()

    def _acquired(self, slots: threading.Semaphore) -> bool:
        while not slots.acquire(timeout=_POLL_SECONDS):
            if self._over.is_set():
                return False
        return not self._over.is_set()

    def _got(self, results: SimpleQueue[Item]) -> Item:
        while True:
            self.check()
            try:
                return results.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
