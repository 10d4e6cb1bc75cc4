"""What a JSON document holds, of the type and in the range that it must be; ValueError for all else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

_MOST = 2**31 - 1
_LONGEST_SECONDS = 1e9
_LARGEST = 1e9


def text(value: object) -> str:
    """Return a text that can be written as UTF-8, too."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.100} is no text")
    value.encode()  # a half of a character raises UnicodeEncodeError
    return value


def texts(value: object) -> tuple[str, ...]:
    """Return a list of texts."""
    if not isinstance(value, list):
        raise ValueError(f"{value!r:.100} is no list")
    return tuple(text(one) for one in cast(list[object], value))


def table(value: object) -> Mapping[str, Any]:
    """Return a document within a document."""
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.100} is no table")
    return cast(dict[str, Any], value)


def tables(value: object) -> list[Mapping[str, Any]]:
    """Return a list of documents."""
    if not isinstance(value, list):
        raise ValueError(f"{value!r:.100} is no list")
    return [table(one) for one in cast(list[object], value)]


def whole(value: object, least: int = 0) -> int:
    """Return a whole number from `least` to 2**31 - 1."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST:
        raise ValueError(f"{value!r:.100} is no number from {least} to {_MOST}")
    return value


def decimal(value: object) -> float:
    """Return a number that is finite."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not -_LARGEST <= value <= _LARGEST:
        raise ValueError(f"{value!r:.100} is no number")
    return float(value)


def seconds(value: object) -> float:
    """Return a time, not negative."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LONGEST_SECONDS:
        raise ValueError(f"{value!r:.100} is no time in seconds")
    return value
