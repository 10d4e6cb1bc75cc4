"""What a benchmark is to run: a model file, how to open it, and under which name it is told of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from ..errors import ArgumentError
from ..inference.open import BACKENDS, BackendName, backend_for
from ..inference.pytorch import DTYPES
from ..model.checkpoint import WEIGHTS

FORMS = ("not-fused", "fused", "folded")
"""A checkpoint's network as it is, fused, and folded as it is exported; each called as a plain module."""
PLAIN = "plain"
"""The fused form computed as its formula is written, each operator on the whole image."""
_KEYS: Mapping[str, Sequence[str]] = {
    "backend": BACKENDS,
    "device": (),
    "dtype": DTYPES,
    "provider": (),
    "precision": (),
    "weights": WEIGHTS,
}
"""What may be given as KEY=VALUE, and the values it has if they are few."""
_DEVICE = re.compile(r"(cpu|cuda|mps|xpu)(:\d+)?")


@dataclass(frozen=True)
class Contestant:
    """A model file with keyword arguments of `open_model`; can be pickled.

    With a `form`, the network of a checkpoint is run in it, by PyTorch in float32, and `options` may only
    name the device.
    """

    path: Path
    options: Mapping[str, str | bool] = field(default_factory=dict[str, "str | bool"])
    form: str | None = None
    words: str = ""
    """What stood after the file's name, for a person to read."""

    @property
    def kind(self) -> BackendName:
        """What runs it; raises errors as `backend_for` does."""
        return backend_for(self.path, str(self.options.get("backend", "auto")))

    @property
    def compiled(self) -> bool:
        """Whether it is to be compiled."""
        return bool(self.options.get("compile"))

    def named(self, name: str) -> str:
        """Return the name under which it is told of: the file's and what stood after it."""
        return f"{name}, {self.words}" if self.words else name

    def placed(self, device: str, *, trust: bool) -> Contestant:
        """Return it with what a benchmark as a whole is told, for what it says nothing about itself.

        `device` is where checkpoints and engines run, and `cpu` keeps ONNX Runtime and OpenVINO there too;
        `trust` is for engines. ONNX files are run by ONNX Runtime, so that all machines time the same.
        """
        defaults: dict[str, str | bool] = {}
        if self.kind == "pytorch":
            defaults["device"] = device
        elif self.kind == "tensorrt":
            defaults["device"] = device if device.startswith("cuda") else "auto"
            if backend_for(self.path) == "tensorrt":
                defaults["trust"] = trust
        elif self.kind == "openvino" and device == "cpu":
            defaults["device"] = "cpu"
        elif self.kind == "onnx":
            defaults["backend"] = "onnx"
            if device == "cpu":
                defaults["provider"] = "cpu"
        return replace(self, options=defaults | dict(self.options))


def parse_contestant(text: str) -> Contestant:
    """Turn `FILE` or `FILE@OPTION,OPTION` into a contestant.

    An option is a backend (`openvino`), a dtype (`bfloat16`), `compile`, one of `FORMS`, `PLAIN`, a
    device or, for ONNX Runtime, a provider (`cuda:1`, `cpu`), or KEY=VALUE for an argument of
    `open_model`. A name that has an @ itself is found if the file is there. Raises `ArgumentError`.
    """
    path = _expanded(text)
    name, at, ending = text.rpartition("@")
    if not at or path.exists():
        return Contestant(path)
    path = _expanded(name)
    options: dict[str, str | bool] = {}
    forms: list[str] = []
    places: list[str] = []
    for word in ending.split(","):
        if word in (*FORMS, PLAIN):
            forms.append(word)
        elif _DEVICE.fullmatch(word):
            places.append(word)
        else:
            key, value = _option(text, word)
            if key in options:
                raise ArgumentError(f"{text}: {key} is given twice")
            options[key] = value
    found = Contestant(path, options, words=ending.replace(",", ", "))
    for place in places:
        key = "provider" if found.kind == "onnx" else "device"
        if key in options:
            raise ArgumentError(f"{text}: {key} is given twice")
        options[key] = place
    if not forms:
        return found
    if len(forms) > 1 or {*options} - {"device"} or backend_for(path) != "pytorch":
        raise ArgumentError(f"{text}: {forms[0]} is for a checkpoint, with no other option but a device")
    return replace(found, form=forms[0])


def in_forms(contestant: Contestant, *, fused: bool) -> list[Contestant]:
    """Return a checkpoint in each of `FORMS`, then as images are upscaled with it.

    One that is `fused` already has no other form to be told apart.
    """
    own = FORMS[1:] if fused else FORMS
    return [*(replace(contestant, form=form, words=form.replace("-", " ")) for form in own), contestant]


def every_way(contestant: Contestant, device: str) -> tuple[list[Contestant], list[str]]:
    """Return a file in every way that it can be run here, and what is left out and why.

    A checkpoint runs in float32 and bfloat16, on other devices than the CPU in float16 too, and each of it
    compiled; an ONNX file by ONNX Runtime and by OpenVINO; an engine as it is.
    """
    kind = backend_for(contestant.path)
    if kind == "pytorch":
        dtypes = ("float32", "bfloat16") if device == "cpu" else ("float32", "float16", "bfloat16")
        plain = [replace(contestant, options={"dtype": name}, words=name) for name in dtypes]
        compiled = [
            replace(one, options={**one.options, "compile": True}, words=f"{one.words}, compile")
            for one in plain
        ]
        return [*plain, *compiled], []
    if kind != "onnx":
        return [contestant], []
    both = [replace(contestant, options={"backend": name}, words=name) for name in ("onnx", "openvino")]
    if find_spec("openvino") is None:
        return both[:1], [f"{contestant.path.name} is left out with openvino, which is not installed here"]
    return both, []


def names_of(contestants: Sequence[Contestant]) -> list[str]:
    """Return a name for each: by the file's name, or by its whole path where that tells them apart."""
    names = [one.named(one.path.name) for one in contestants]
    if len({*names}) < len(names):
        names = [one.named(str(one.path)) for one in contestants]
    return names


def _option(text: str, word: str) -> tuple[str, str | bool]:
    if word == "compile":
        return word, True
    for key in ("backend", "dtype"):
        if word in _KEYS[key] and word != "auto":
            return key, word
    key, equals, value = word.partition("=")
    if not equals or key not in _KEYS:
        words = (*BACKENDS[1:], *DTYPES[1:], "compile", *FORMS, PLAIN, "a device")
        raise ArgumentError(
            f"{text}: {word!r} is no option: expected one of {', '.join(words)}, "
            f"or KEY=VALUE with one of {', '.join(_KEYS)}"
        )
    if _KEYS[key] and value not in _KEYS[key]:
        raise ArgumentError(f"{text}: {key} is {value!r}: expected one of {', '.join(_KEYS[key])}")
    return key, value


def _expanded(text: str) -> Path:
    path = Path(text)
    with suppress(RuntimeError):
        return path.expanduser()
    return path
