"""What is raised and said on purpose: one sentence a user can act on, and apart from it what to do.

A hint speaks of arguments of the function that was called; whoever shows it gives them the names that its own
users know (`force=True` in Python, `--force` on the command line, Overwrite on a node).
"""

from __future__ import annotations

import string
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Words = Callable[[str, object], str]
"""Names an argument, with the value to give it; None if a hint leaves the value open."""

_EXTRAS = {
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "openvino": "openvino",
    "skimage": "compare",
    "matplotlib": "plot",
    "av": "video",
    "ray": "cluster",
    "watchfiles": "watch",
}
"""Optional packages by the name they are imported by, and the extra of ours that brings each."""
_LONGEST_SENTENCE = 2000
"""Characters; more can only be names that a file made up."""


def python_words(argument: str, value: object) -> str:
    """Name an argument as a call spells it: `force=True`, or `tile` where the value is open."""
    return argument if value is None else f"{argument}={value!r}"


class Hint:
    """What to do about something, such as `Hint("replace it with {force}", force=True)`."""

    def __init__(self, template: str, **values: object) -> None:
        """Take a text with the names of arguments in braces; those without a value here leave it open."""
        self._template, self._values = template, values

    def text(self, words: Words = python_words) -> str:
        """Return the hint with its arguments named by `words`."""
        named = {name for _, name, _, _ in string.Formatter().parse(self._template) if name}
        return self._template.format(**{name: words(name, self._values.get(name)) for name in named})

    def __add__(self, other: Hint) -> Hint:
        """Return both, one after the other."""
        return Hint(f"{self._template}; {other._template}", **self._values, **other._values)


@dataclass(frozen=True)
class Message:
    """One sentence without its full stop, and what can be done."""

    sentence: str
    hint: Hint | None = None

    def text(self, words: Words = python_words) -> str:
        """Return sentence and hint, its arguments named by `words`."""
        return f"{self.sentence}: {self.hint.text(words)}" if self.hint else self.sentence

    def __str__(self) -> str:
        return self.text()


class AetherError(Exception):
    """Base of every error raised on purpose; `str()` names arguments as Python spells them."""

    def __init__(self, sentence: str, hint: Hint | None = None) -> None:
        if len(sentence) > _LONGEST_SENTENCE:
            half = _LONGEST_SENTENCE // 2
            sentence = f"{sentence[:half]} … {sentence[-half:]}"
        super().__init__(sentence)
        self.message = Message(sentence, hint)

    def __str__(self) -> str:
        return self.message.text()


class ArgumentError(AetherError, ValueError):
    """An argument with a value that it cannot have."""


class CheckpointError(AetherError, ValueError):
    """A checkpoint that cannot be read, or is not a whole AetherNet checkpoint."""


class ImageError(AetherError, ValueError):
    """An image that cannot be read, or that no network can take."""


class VideoError(AetherError, ValueError):
    """A video that cannot be read, that an encoder or a container cannot take, or whose frames do not fit."""


class OutputError(AetherError, OSError):
    """A target that cannot be written, or that exists and was not to be replaced."""


class OnnxError(AetherError, ValueError):
    """An ONNX file that cannot be read, or is not what it should be."""


class EngineError(AetherError, ValueError):
    """A TensorRT engine that cannot be built, read or run here."""


class MissingPackageError(AetherError, ImportError):
    """An optional package that is needed and not installed."""


def check_choice(argument: str, value: object, choices: Sequence[object]) -> None:
    """Raise `ArgumentError`, which lists the choices, for a value that is none of them."""
    if value not in choices:
        raise ArgumentError(f"{argument} is {value!r}: expected one of {', '.join(map(str, choices))}")


@contextmanager
def missing_extras() -> Generator[None]:
    """Raise `MissingPackageError`, with the command that installs it, for an optional package not found."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        raise MissingPackageError(
            f'{package} is not installed here: pip install "spandrel-aethernet[{_EXTRAS[package]}]"'
        ) from error
