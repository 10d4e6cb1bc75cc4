"""What no terminal may be sent: file names, tensors and descriptions can hold any character."""

from __future__ import annotations

import re

_ACTS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, separators of lines, and what turns the direction of text."""


def clean(text: str) -> str:
    r"""Replace what acts on a terminal by its escape, such as `\x1b`; what is one line stays one."""
    return _ACTS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
