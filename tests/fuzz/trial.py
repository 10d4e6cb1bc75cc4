"""One file, one target, one folder of its own: what came of it, what was printed, what was left."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .breakers import BREAKERS
from .files import File, Seeds
from .formats import mutation
from .targets import Outcome, judge_files, judge_words, try_target

Item = Sequence[Any]
"""`["checkpoints", seed, number]`, or `["breaker", name, target]`."""


def made(item: Item, seeds: Seeds) -> tuple[File, str, Sequence[str]]:
    """Return the file that an item names, its story and its targets."""
    if item[0] == "breaker":
        return BREAKERS[item[1]].make(seeds), item[1], [item[2]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensors that lose a part of themselves on purpose
        return mutation(item[0], item[1], item[2], seeds)


class Trial:
    """A file in a new folder, to be given to a target in this process."""

    def __init__(self, file: File, target: str, folder: Path) -> None:
        """Write the file; `folder` is emptied before."""
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("given", "out", "current", "temporary"):
            (folder / name).mkdir(parents=True)
        self._target, self._folder = target, folder
        self._path = file.write(folder / "given")
        self._given = [str(one.relative_to(folder)) for one in (folder / "given").iterdir()]

    def run(self, seeds: Path) -> Outcome:
        """Return what came of it, judged in all but time and memory."""
        kept = tempfile.tempdir, os.environ.get("TMPDIR"), Path.cwd()
        temporary = str(self._folder / "temporary")
        os.environ["TMPDIR"] = tempfile.tempdir = temporary
        os.chdir(self._folder / "current")
        try:
            with _captured(self._folder) as words:
                outcome = try_target(self._target, self._path, self._folder / "out", seeds)
        finally:
            tempfile.tempdir = kept[0]
            if kept[1] is not None:
                os.environ["TMPDIR"] = kept[1]
            os.chdir(kept[2])
        judge_words(outcome, *words)
        judge_files(outcome, self._folder, self._given)
        shutil.rmtree(self._folder, ignore_errors=True)
        return outcome


@contextmanager
def _captured(place: Path) -> Generator[list[str]]:
    """Collect stderr and stdout, of libraries in C too; they are in the list when the block has ended."""
    words: list[str] = []
    kept = [os.dup(stream) for stream in (2, 1)]
    files = [place.with_name(f"{place.name}.{name}") for name in ("stderr", "stdout")]
    sys.stdout.flush()
    sys.stderr.flush()
    for stream, file in zip((2, 1), files, strict=True):
        target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        os.dup2(target, stream)
        os.close(target)
    try:
        yield words
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, descriptor in zip((2, 1), kept, strict=True):
            os.dup2(descriptor, stream)
            os.close(descriptor)
        words += [file.read_text("utf-8", errors="surrogateescape") for file in files]
        for file in files:
            file.unlink()
