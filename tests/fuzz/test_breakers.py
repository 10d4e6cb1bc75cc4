"""Every file that ever broke something is refused as documented, and leaves nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

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


@pytest.mark.slow
@ALL
def test_what_broke_something_is_refused(name: str, target: str, request: pytest.FixtureRequest) -> None:
    breaker = BREAKERS[name]
    if sys.platform == "linux":
        answer: Answer = request.getfixturevalue("answers")[name, target]
        assert list(answer.lines()) == []
        found = answer.outcomes[0]["error"]
    else:
        found = _tried_here(name, target, request)
    assert found == breaker.expected[target] or not breaker.expected[target], f"used to {breaker.used_to}"


def _tried_here(name: str, target: str, request: pytest.FixtureRequest) -> str:
    """Return the error of a target in this process, which has no limits: all that another system can do."""
    seeds: Seeds = request.getfixturevalue("seeds")
    file = BREAKERS[name].make(seeds)
    if file.pipe or file.links or not file.name.isprintable():
        pytest.skip("needs pipes, links and file names that only POSIX systems have")
    outcome = Trial(file, target, request.getfixturevalue("tmp_path") / "trial").run(seeds.folder)
    assert outcome.faults == []
    return outcome.error
