"""Which mutators and which targets each format has; one number is one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from .files import File, Mutator, Seeds
from .mutators import archives, documents, graphs, headers, onnx_files, pickles, pictures, raw, structures
from .scripts import writing


@dataclass(frozen=True)
class Format:
    """One row of the table."""

    title: str
    mutators: Sequence[tuple[float, Mutator]]
    targets: Sequence[str]
    """Names in `targets.TARGETS`; each file goes to one or two of them."""


class Mutation(NamedTuple):
    """One file to try, and where."""

    file: File
    story: str
    """The mutator that made it."""
    targets: Sequence[str]


def _raw(pool: Callable[[Seeds], Sequence[File]], *suffixes: str) -> Sequence[tuple[float, Mutator]]:
    def changed(random: Random, seeds: Seeds) -> File:
        return raw.changed(random, pool(seeds))

    def renamed(random: Random, seeds: Seeds) -> File:
        return raw.renamed(random, pool(seeds), suffixes)

    return (4, changed), (0.5, renamed)


def _beside(pool: Callable[[Seeds], Sequence[File]]) -> tuple[float, Mutator]:
    def changed_beside(random: Random, seeds: Seeds) -> File:
        return raw.changed_beside(random, pool(seeds))

    return 1, changed_beside


def scripts(random: Random, _seeds: Seeds) -> File:
    """A program that writes a file when it is opened, under any suffix, whole or with changed bytes."""
    file = File(f"script{random.choice(('.pt', '.pth', '.ckpt', '.PT'))}", writing())
    return file if random.random() < 0.5 else raw.changed(random, [file])


def _checkpoints(seeds: Seeds) -> Sequence[File]:
    return seeds.checkpoints


def _onnx(seeds: Seeds) -> Sequence[File]:
    return seeds.onnx


def _engines(seeds: Seeds) -> Sequence[File]:
    return seeds.engines


def _images(seeds: Seeds) -> Sequence[File]:
    return seeds.images


FORMATS: Mapping[str, Format] = {
    "checkpoints": Format(
        "checkpoints (.pth, .pt, .ckpt, .safetensors)",
        (
            *_raw(_checkpoints, ".pth", ".pt", ".ckpt", ".safetensors"),
            *archives.MUTATORS,
            *pickles.MUTATORS,
            *headers.MUTATORS,
            *structures.MUTATORS,
            (0.5, scripts),
        ),
        ("info", "info --json", "fuse", "fuse --dtype float16", "load_model", "spandrel"),
    ),
    "onnx": Format(
        "ONNX",
        (*_raw(_onnx, ".onnx"), _beside(_onnx), *graphs.MUTATORS, *onnx_files.MUTATORS),
        ("lint", "lint --json", "open_source", "upscale -m"),
    ),
    "engines": Format(
        "engines and descriptions",
        (*_raw(_engines, ".engine", ".trt", ".plan"), _beside(_engines), (8, documents.descriptions)),
        ("info", "info --json", "load_engine"),
    ),
    "images": Format(
        "images",
        (*_raw(_images, ".png", ".jpg", ".tif", ".webp", ".avif"), *pictures.MUTATORS),
        ("upscale", "read_picture"),
    ),
}


def mutation(format_name: str, seed: int, number: int, seeds: Seeds) -> Mutation:
    """Return file `number` of a format; the same for the same seeds, however many are asked for."""
    known = FORMATS[format_name]
    random = Random(f"{format_name} {seed} {number}")  # noqa: S311  (nothing here is secret)
    mutators = [mutator for _, mutator in known.mutators]
    (mutator,) = random.choices(mutators, [weight for weight, _ in known.mutators])
    targets = random.sample(known.targets, random.choice((1, 1, 1, 2)))
    return Mutation(mutator(random, seeds), mutator.__name__, targets)
