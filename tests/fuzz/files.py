"""A file to be tried, in memory, with what lies beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TypeAlias

CONTROLS = "\x1b[2J\r\x07\x9b\x7f\u202e\u2066\u2028\u2029"
"""What no terminal may be sent: escape sequences, controls, turned text, separators of lines."""


@dataclass(frozen=True)
class File:
    """One file of any format."""

    name: str
    content: bytes
    beside: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    """Symbolic links beside it, and where they lead."""
    pipe: bool = False
    """Whether it is a pipe (FIFO) that nobody writes to."""

    def write(self, folder: Path) -> Path:
        """Write it with what lies beside it, and return its path."""
        path = folder / self.name
        if self.pipe:
            os.mkfifo(path)
        else:
            path.write_bytes(self.content)
        for name, content in self.beside.items():
            (folder / name).write_bytes(content)
        for name, target in self.links.items():
            (folder / name).symlink_to(target)
        return path

    def holding(self, content: bytes) -> File:
        """Return another file of that name."""
        return replace(self, content=content)


@dataclass(frozen=True)
class Seeds:
    """Sound files of every format; those of one are sorted by name."""

    folder: Path
    """Where they lie too."""
    checkpoints: tuple[File, ...]
    onnx: tuple[File, ...]
    engines: tuple[File, ...]
    """Each with its description beside it."""
    images: tuple[File, ...]


Mutator: TypeAlias = Callable[[Random, Seeds], File]
"""Makes one file that some seeds became."""


def odd_text(random: Random) -> str:
    """Return a name that no sound file holds."""
    controls = "".join(random.sample(CONTROLS, 4))
    digits = "9" * random.choice((20, 400, 5000))
    return random.choice(
        (
            f"name{CONTROLS}",
            f"layers.{controls}",
            f"layers.{digits}.0.conv.fused_conv.weight",
            f"layers.0.{digits}.ffn.fc1_gate.weight",
            "",
            "\x00",
            "\udc80",
            "a" * 100_000,
            "../../escape",
            "%s%n{0}{x}",
            "[red]markup[/red] [/]",
            "é\u0301😀",
        )
    )


def odd_integer(random: Random) -> int:
    """Return a number at which something overflows, is empty or turns around."""
    power = random.choice((7, 8, 15, 16, 31, 32, 33, 40, 62, 63, 64))
    return random.choice((0, 1, -1, 2, 3, 2**power, 2**power - 1, -(2**power), random.randrange(2**power)))
