# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that are told as they are taken, or only told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Say = Callable[[str], None]
"""What takes one line for the user."""


@dataclass(frozen=True)
class Step:
    """What to do, in words that can follow "would", and how."""

    text: str
    run: Callable[[], object]


def take(steps: Iterable[Step], say: Say) -> None:
    """Take every step, each told before."""
    for step in steps:
        say(step.text)
        step.run()


def tell(steps: Iterable[Step], say: Say) -> None:
    """Tell every step and take none."""
    for step in steps:
        say(f"would {step.text}")
    say("nothing was changed")
