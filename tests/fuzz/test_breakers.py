"""Every file that ever broke something is refused as documented, and leaves nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from .breakers import BREAKERS
from .campaign import Answer, Server, run_all
from .files import Seeds
from .trial import Trial

TRIED = [(name, target) for name, breaker in BREAKERS.items() for target in breaker.expected]
ALL = pytest.mark.parametrize(("name", "target"), TRIED, ids=[f"{name}: {target}" for name, target in TRIED])


@pytest.fixture(scope="module")
def answers(servers: Sequence[Server]) -> Mapping[tuple[str, str], Answer]:
    """What came of all of them, in children with limits."""
    answers = run_all(servers, [("breaker", name, target) for name, target in TRIED])
    return {(answer.item[1], answer.item[2]): answer for answer in answers}


@ALL
def test_what_broke_something_is_refused(
    name: str, target: str, answers: Mapping[tuple[str, str], Answer]
) -> None:
    answer = answers[name, target]
    assert list(answer.lines()) == []
    expected = BREAKERS[name].expected[target]
    assert answer.outcomes[0]["error"] == expected or not expected, BREAKERS[name].used_to


@pytest.mark.skipif(sys.platform == "linux", reason="tried in children with limits there")
@ALL
def test_what_broke_something_is_refused_on_any_system(
    name: str, target: str, seeds: Seeds, tmp_path: Path
) -> None:
    file = BREAKERS[name].make(seeds)
    if file.pipe or file.links or not file.name.isprintable():
        pytest.skip("needs pipes, links and file names that only POSIX systems have")
    outcome = Trial(file, target, tmp_path / "trial").run(seeds.folder)
    assert outcome.faults == []
    expected = BREAKERS[name].expected[target]
    assert outcome.error == expected or not expected, BREAKERS[name].used_to
