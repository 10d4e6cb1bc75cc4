"""What is done with each file, and what may come of it: success, or a refusal that the docstring names."""

from __future__ import annotations

import importlib
import os
import re
import traceback
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spandrel_aethernet.errors import AetherError

from .seeds import MODEL, PHOTO

PACKAGE = "spandrel_aethernet"
_LONGEST = 4000
"""Characters of the longest sentence that is one; paths and names are part of it."""
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What a terminal must not be sent; a line may end."""
_NO_MEMORY = re.compile(r"allocate memory|bad.?alloc|not enough memory|Unable to allocate", re.IGNORECASE)


@dataclass
class Outcome:
    """What one target made of one file."""

    target: str
    result: str = "success"
    """`success`, `refused`, or for other people's code `foreign`."""
    faults: list[str] = field(default_factory=list[str])
    """Columns of the table that count it."""
    error: str = ""
    """Name of the error's class; of a command the exit code."""
    said: str = ""
    place: str = ""
    """File and line that raised it."""


def _command(*words: str) -> Callable[[Path, Path, Path], int]:
    """Return a call of a command: FILE, OUT, PHOTO and MODEL stand for paths."""

    def run(path: Path, out: Path, seeds: Path) -> int:
        from spandrel_aethernet.cli import main

        paths = {"FILE": path, "PHOTO": seeds / PHOTO, "MODEL": seeds / MODEL, "IMAGE": out / "larger.png"}
        paths |= {
            "ONNX": out / "exported.onnx",
            "FUSED": out / "fused.safetensors",
            "HALF": out / "fused.pth",
        }
        return main([str(paths.get(word, word)) for word in words])

    return run


def _call(module: str, name: str) -> Callable[[Path, Path, Path], object]:
    def run(path: Path, _out: Path, _seeds: Path) -> object:
        return getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)(path)

    return run


def _spandrel(path: Path, _out: Path, _seeds: Path) -> object:
    spandrel: Any = importlib.import_module("spandrel")
    importlib.import_module(PACKAGE).install()
    return spandrel.ModelLoader().load_from_file(path)


def _load_engine(path: Path, _out: Path, _seeds: Path) -> object:
    """Do what loading an engine does before it asks for the GPU."""
    load: Any = importlib.import_module(f"{PACKAGE}.inference.tensorrt.load")
    info = load.read_sidecar(path)
    built = load.Header(info.runtime, info.version) if info else load.read_header(path)
    runtime = load.runtimes_for(path, built)[0]
    return load.mismatch(built, info, runtime, "8.6"), load.build_command(path, info, runtime.name, "8.6")


COMMANDS: Mapping[str, Callable[[Path, Path, Path], int]] = {
    "info": _command("info", "FILE"),
    "info --json": _command("info", "FILE", "--json"),
    "fuse": _command("fuse", "FILE", "-o", "FUSED"),
    "fuse --dtype float16": _command("fuse", "FILE", "-o", "HALF", "--dtype", "float16"),
    "export fp16": _command("export", "FILE", "-o", "ONNX", "--precision", "fp16", "--static", "32x32"),
    "lint": _command("lint", "FILE"),
    "lint --json": _command("lint", "FILE", "--json"),
    "upscale -m": _command("upscale", "PHOTO", "-o", "IMAGE", "-m", "FILE", "--device", "auto"),
    "upscale": _command("upscale", "FILE", "-o", "IMAGE", "-m", "MODEL", "--device", "cpu"),
}
CALLS: Mapping[str, Callable[[Path, Path, Path], object]] = {
    "load_model": _call("model.io", "load_model"),
    "read_state_dict": _call("model.io", "read_state_dict"),
    "open_source": _call("engines.source", "open_source"),
    "read_picture": _call("images.files", "read_picture"),
    "load_engine": _load_engine,
    "spandrel": _spandrel,
}
FOREIGN = ("spandrel",)
"""Targets that refuse in their own words, and take what memory they like before they do."""
NEEDED = (
    *("torch", "spandrel", "onnx", "onnx.checker", "onnx.inliner", "onnx.shape_inference", "onnxruntime"),
    *("pyvips", "PIL.Image", "tensorrt_rtx", "safetensors.torch", "rich.progress", "torch.nn.modules"),
    *(f"{PACKAGE}.cli.{name}" for name in ("info", "fuse", "export", "lint", "upscale")),
    *(
        f"{PACKAGE}.{name}"
        for name in (
            "inference.onnx",
            "onnx_export.export",
            "engines.source",
            "lint.linter",
            "evaluation.compare",
        )
    ),
)
"""What is imported before any file is tried, so that its memory and time are no file's."""


def try_target(target: str, path: Path, out: Path, seeds: Path) -> Outcome:
    """Give a file to a target; what it prints goes where this process prints."""
    outcome = Outcome(target)
    with _shortages() as shortages:
        try:
            if target in COMMANDS:
                outcome.error = str(code := COMMANDS[target](path, out, seeds))
                outcome.result = "refused" if code else "success"
                if code not in (0, 1):
                    outcome.faults.append("unnamed")
            else:
                CALLS[target](path, out, seeds)
        except BaseException as error:
            _judge(outcome, error)
    if shortages and outcome.result != "foreign":
        outcome.faults.append("memory")
        outcome.said = outcome.said or shortages[0]
    return outcome


def _judge(outcome: Outcome, error: BaseException) -> None:
    outcome.error, outcome.said = type(error).__name__, str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}{PACKAGE}{os.sep}" in frame.filename]
    shown = [*own[-1:], *([frames[-1]] if frames and frames[-1] not in own else [])]
    outcome.place = " < ".join(f"{_short(frame.filename)}:{frame.lineno}" for frame in shown)
    if outcome.target in FOREIGN and isinstance(error, Exception):
        outcome.result = "foreign"
    elif isinstance(error, AetherError) and outcome.target not in COMMANDS:
        outcome.result = "refused"
        if not outcome.said.strip() or len(outcome.said) > _LONGEST:
            outcome.faults.append("unnamed")
    else:
        outcome.result = "unnamed"
        outcome.faults.append("unnamed")


def judge_words(outcome: Outcome, said: str, printed: str) -> None:
    """Add what is wrong with what a target printed to stderr and stdout."""
    if outcome.target in COMMANDS:
        lines = [line for line in said.splitlines() if line.strip()]
        outcome.said = outcome.said or (lines[-1] if lines else "")
        refused = [line for line in lines if line.startswith(("aethernet: ", "failed: "))]
        silent = outcome.error == "1" and not refused and not outcome.target.startswith("lint")
        loud = any(re.search(r"Warning: |^Traceback|^\s+warnings\.warn", line) for line in lines)
        if (silent or loud or len(refused) > 1 or any(len(line) > _LONGEST for line in refused)) and (
            "unnamed" not in outcome.faults
        ):
            outcome.faults.append("unnamed")
            outcome.said = said
    if ACTS.search(said) or ACTS.search(printed):
        outcome.faults.append("codes")
        outcome.said = outcome.said or printed


def judge_files(outcome: Outcome, folder: Path, given: Sequence[str]) -> None:
    """Add what lies in the folder and was not given, but for the output of a command that succeeded."""
    expected = {*given}
    if outcome.result == "success" and outcome.error == "0":
        expected |= {
            f"out/{name}" for name in ("larger.png", "fused.safetensors", "fused.pth", "exported.onnx")
        }
    left = [
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    ]
    left += [str(path.relative_to(folder)) for path in (folder / "temporary").rglob("*") if path.is_dir()]
    if unknown := sorted({*left} - expected):
        outcome.faults.append("left")
        outcome.said = f"{outcome.said} LEFT {unknown}"


@contextmanager
def _shortages() -> Generator[list[str]]:
    """Collect what says that memory was not enough, also where it is turned into another error."""
    found: list[str] = []
    told = AetherError.__init__

    def tell(self: AetherError, *arguments: Any, **named: Any) -> None:
        reason = importlib.import_module("sys").exc_info()[1]
        if isinstance(reason, MemoryError) or (reason and _NO_MEMORY.search(str(reason))):
            found.append(str(reason))
        told(self, *arguments, **named)

    AetherError.__init__ = tell
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=Warning, append=True)
        try:
            yield found
        finally:
            AetherError.__init__ = told


def _short(filename: str) -> str:
    return filename.rpartition("site-packages/")[2].rpartition(f"{PACKAGE}{os.sep}")[2]
