"""The events of a running chaiNNer backend: progress, results and errors of nodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Condition, Thread
from typing import Any

from .graphs import Output


@dataclass(frozen=True)
class Event:
    """One event: `name` as chaiNNer spells it ("node-progress"), `data` what it says."""

    name: str
    data: dict[str, Any]

    @property
    def node(self) -> str | None:
        """The id of the node it is about, if it is about one."""
        return self.data.get("nodeId")


def broadcast_type(events: Iterable[Event], output: Output) -> Any:
    """Return what type an output had in a run, in the JSON of chaiNNer's types.

    Text and numbers are literals of their value, {"type": "string-literal", "value": "2x"} and 2. Raises
    LookupError if the run did not say it.
    """
    for event in events:
        if event.name == "node-broadcast" and event.node == output.node:
            return event.data["types"][str(output.id)]
    raise LookupError(f"no result of output {output.id} was broadcast")


class EventStream:
    """Listens to `/sse` in a thread of its own until the backend ends."""

    def __init__(self, port: int) -> None:
        self._events: list[Event] = []
        self._changed = Condition()
        self._ended = False
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/sse")
        Thread(target=self._listen, args=[connection], daemon=True).start()

    def since(self, start: int = 0) -> list[Event]:
        """Return the events that came so far, from the one at position `start` on."""
        with self._changed:
            return self._events[start:]

    def wait(self, wanted: Callable[[Event], bool], *, start: int = 0, timeout: float = 120) -> Event:
        """Return the first event from position `start` on that is wanted, as soon as it has come.

        Raises TimeoutError after `timeout` seconds without it, ConnectionError if the backend ended first.
        """
        found: list[Event] = []

        def looked() -> bool:
            found.extend(event for event in self._events[start:] if wanted(event))
            return bool(found) or self._ended

        with self._changed:
            if not self._changed.wait_for(looked, timeout):
                names = sorted({event.name for event in self._events[start:]})
                raise TimeoutError(f"no such event in {timeout} s, only {names}")
        if not found:
            raise ConnectionError("the backend ended before the event came")
        return found[0]

    def _listen(self, connection: HTTPConnection) -> None:
        name = ""
        try:
            # The answer begins with the first event.
            for line in connection.getresponse():
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    self._add(Event(name, json.loads(value) or {}))
        except (OSError, HTTPException):
            pass  # the backend was stopped while it sent
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _add(self, event: Event) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()
