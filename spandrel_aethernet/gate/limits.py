"""How much one file from outside may cost; an environment variable raises each limit."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import ArgumentError

_MOST_DIGITS = 18
"""Of a number that any system's C library takes."""


@dataclass(frozen=True)
class Limit:
    """A number that no file may exceed."""

    variable: str
    """The environment variable that sets it."""
    default: int
    meaning: str

    @property
    def value(self) -> int:
        """What holds now; raises `ArgumentError` for a variable that is no whole number."""
        text = os.environ.get(self.variable)
        if text is None:
            return self.default
        if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
            raise ArgumentError(f"{self.variable} is {text!r}: expected a whole number")
        return int(text)


FILE_BYTES = Limit("SPANDREL_AETHERNET_MAX_FILE_BYTES", 2**31, "bytes of a file")
IMAGE_PIXELS = Limit("SPANDREL_AETHERNET_MAX_IMAGE_PIXELS", 2**28, "pixels that an image announces")
PICKLE_STEPS = Limit(
    "SPANDREL_AETHERNET_MAX_PICKLE_STEPS", 2_000_000, "instructions in a checkpoint's pickle"
)
DEPTH = Limit("SPANDREL_AETHERNET_MAX_DEPTH", 50, "levels of lists, dictionaries or graphs in one another")
NODES = Limit("SPANDREL_AETHERNET_MAX_NODES", 100_000, "operators of an ONNX model")
VALUES = Limit(
    "SPANDREL_AETHERNET_MAX_VALUES", 2**27, "values of a tensor whose shape is all that an ONNX model tells"
)

LIMITS = (FILE_BYTES, IMAGE_PIXELS, PICKLE_STEPS, DEPTH, NODES, VALUES)
