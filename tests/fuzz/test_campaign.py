"""Damaged files by the thousand end in success or in one sentence, and leave nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from .campaign import COUNT, Row, Server, items, items_of, run
from .files import Seeds
from .formats import FORMATS, mutation

EACH = 200
"""Files of each format that are tried with every run of the tests."""
NAMES = pytest.mark.parametrize("name", FORMATS)


@pytest.fixture(scope="module")
def rows(servers: Sequence[Server]) -> Mapping[str, Row]:
    """What came of the first files of each format."""
    return run(servers, [item for name in FORMATS for item in items_of(name, EACH, 0)])


@pytest.mark.slow
@NAMES
def test_damaged_files_end_as_documented(name: str, rows: Mapping[str, Row]) -> None:
    assert _wrong(rows[name]) == []
    assert rows[name].tried == EACH


@pytest.mark.slow
@NAMES
def test_damaged_files_are_not_all_refused_or_all_sound(name: str, rows: Mapping[str, Row]) -> None:
    assert rows[name].results["success"] > EACH // 20
    assert rows[name].results["refused"] > EACH // 4


@NAMES
def test_a_number_is_one_file(name: str, seeds: Seeds) -> None:
    first, again = (mutation(name, 0, 7, seeds) for _ in range(2))
    assert first == again
    files = [mutation(name, 0, number, seeds).file for number in range(20)]
    assert len({(file.name, file.content, *file.beside.values()) for file in files}) > 15


@pytest.mark.release
def test_twenty_thousand_damaged_files_end_as_documented(servers: Sequence[Server]) -> None:
    rows = run(servers, items(COUNT, 1))
    assert [line for row in rows.values() for line in _wrong(row)] == []
    assert sum(row.tried for row in rows.values()) == COUNT


def _wrong(row: Row) -> list[str]:
    """Return what is not allowed, a line each: the command that tries it again, and what came of it."""
    return [line for answer in row.failures for line in answer.lines()]
