"""Threads that work ahead: order, bounds, errors, and how they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from spandrel_aethernet.errors import ArgumentError
from spandrel_aethernet.inference.pipeline import Cancelled, Crew, Threads


@pytest.mark.parametrize("threads", [1, 4])
def test_results_come_in_order_whatever_takes_long(threads: int) -> None:
    def slowly(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number * number

    with Crew() as crew:
        assert list(crew.ahead(slowly, range(20), threads=threads)) == [n * n for n in range(20)]


def test_stages_overlap_and_no_more_is_taken_than_there_is_room_for() -> None:
    taken: list[int] = []
    at_the_second = threading.Event()

    def source() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    def first_step(number: int) -> int:
        if number == 1:
            at_the_second.set()
        return number

    def second_step(number: int) -> int:
        assert at_the_second.wait(10), "the first step goes on while the second is at work"
        return number

    with Crew() as crew:
        results = crew.ahead(second_step, crew.ahead(first_step, source(), threads=1, room=2))
        assert next(results) == 0
        time.sleep(0.3)  # enough to take all, if there were room
        assert len(taken) <= 1 + (1 + 2) + (1 + 1) + 1


def test_what_is_raised_comes_in_its_turn_and_is_the_last() -> None:
    def but_not_three(number: int) -> int:
        if number == 3:
            raise KeyError(number)
        return number

    def short() -> Iterator[int]:
        yield 0
        raise LookupError("the source")

    with Crew() as crew:
        results = crew.ahead(but_not_three, range(9), threads=3)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(KeyError):
            next(results)
        results = crew.ahead(but_not_three, short(), threads=3)
        assert next(results) == 0
        with pytest.raises(LookupError, match="the source"):
            next(results)


def test_the_end_waits_for_what_is_being_written_and_for_nothing_else() -> None:
    writing, written, forever = threading.Event(), threading.Event(), threading.Event()

    def write(_: int) -> None:
        with crew.committing():
            writing.set()
            time.sleep(0.8)
            written.set()

    with suppress(KeyboardInterrupt), Crew() as crew:
        crew.ahead(lambda _: forever.wait(30), range(3))
        crew.ahead(write, range(1))
        assert writing.wait(10)
        raise KeyboardInterrupt
    assert written.is_set()
    assert not forever.is_set()
    forever.set()
    with pytest.raises(Cancelled):
        crew.committing().__enter__()


def test_threads_are_read() -> None:
    assert Threads.parse("2:4") == Threads(2, 4)
    assert Threads.parse(str(Threads.default())) == Threads.default()
    for text in ("2", "0:1", "a:b", "1:2:3", "1:999"):
        with pytest.raises(ArgumentError, match=f"threads '{text}': expected LOAD:SAVE"):
            Threads.parse(text)
