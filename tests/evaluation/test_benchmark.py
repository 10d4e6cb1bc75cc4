"""A benchmark: turns, fewer of what takes long, ratios, growth, and runners over real networks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spandrel_aethernet.evaluation.benchmark import (
    Ask,
    Passes,
    SizeResult,
    describe,
    growth,
    measure,
)
from spandrel_aethernet.evaluation.contestants import parse_contestant
from spandrel_aethernet.evaluation.quality import measure_quality
from spandrel_aethernet.evaluation.runner import Loaded, Matrix, Prepared, Runner
from spandrel_aethernet.progress import Silent

from ..artifacts import Artifacts
from ..inference.onnx_files import repeating, write_onnx

THREADS = torch.get_num_threads()


class Canned:
    """Answers what a runner would, and remembers who was asked."""

    def __init__(self, name: str, seconds: float, turns: list[str]) -> None:
        self._name, self._seconds, self._turns = name, seconds, turns

    def __call__(self, method: str, *arguments: Any) -> Any:
        if method == "run":
            self._turns.append(self._name)
            return self._seconds
        if method == "prepare":
            width, height = arguments
            return Prepared(1.0, 2, width * height, "")
        return {"load": 10**6, "peak": 7}[method]


def here(runner: object) -> Ask:
    """Ask a runner of this process."""

    def ask(method: str, *arguments: object) -> Any:
        return getattr(runner, method)(*arguments)

    return ask


def runner_of(text: object) -> Ask:
    return here(Runner(parse_contestant(str(text)).placed("cpu", trust=False), THREADS))


def result(medians: list[float], size: tuple[int, int], matrix: float = 1.0) -> SizeResult:
    prepared = Prepared(0.0, 1, size[0] * size[1], "")
    return SizeResult(size, [Passes(prepared, [one], None) for one in medians], [matrix])


@pytest.mark.parametrize(
    ("seconds", "repeats", "order"),
    [
        ((0.1, 0.1), 2, "abmabm"),
        ((0.1, 6.0), 5, "abmabmabmamam"),
        ((2.5, 6.0), 9, "abmabmabmam"),
        ((60.0, 60.0), 2, "abmabm"),
    ],
)
def test_all_take_turns_and_what_takes_long_has_fewer(
    seconds: tuple[float, float], repeats: int, order: str
) -> None:
    turns: list[str] = []

    class Counted(Silent):
        total = done = 0

        def begin(self, step: str, total: int, *, within: str | None = None) -> None:
            assert (step, within) == ("8x4", None)
            self.total += total

        def advance(self, step: str | None = None) -> None:
            assert step is None
            self.done += 1

    progress = Counted()
    asks = [Canned(name, one, turns) for name, one in zip("ab", seconds, strict=True)]
    (found,) = measure(asks, Canned("m", 0.5, turns), [(8, 4)], repeats=repeats, progress=progress)
    assert "".join(turns) == order
    assert [len(one.seconds) for one in found.passes] == [order.count("a"), order.count("b")]
    assert found.matrix == [2e6] * order.count("m")
    assert progress.done == progress.total == 2 * (repeats + 1)
    assert [one.peak for one in found.passes] == [7, 7]


def test_ratios_are_to_the_first_and_shares_to_the_product() -> None:
    found = result([3.0, 1.5, 6.0], (10, 20), matrix=1e4)
    assert found.ratios == [1, 2, 0.5]
    assert found.shares([300.0, None, 300.0]) == [2.0, None, 1.0]
    (told,) = describe(["a", "b", "c"], [300.0, None, 300.0], [found])
    assert (told["size"], told["width"], told["height"]) == ("10x20", 10, 20)
    assert told["results"][2]["share_of_matrix"] == 1
    assert told["results"][1]["megapixels_per_second"] == pytest.approx(200 / 1.5e6)


def test_quartiles_are_between_the_passes() -> None:
    one = Passes(Prepared(0.0, 1, 1, ""), [5.0, 1.0, 3.0, 2.0, 4.0], None)
    assert (one.median, one.quartiles) == (3, (2, 4))


def test_growth_is_the_exponent_of_the_pixels() -> None:
    sizes = [(10, 10), (20, 20), (40, 80)]
    results = [result([w * h * 1e-3, (w * h) ** 1.5], (w, h)) for w, h in sizes]
    assert growth(results) == pytest.approx([1, 1.5])
    assert growth(results[:1]) == growth([*results[:1]] * 2) == [None, None]


def test_runners_run_what_they_are_told(artifacts: Artifacts) -> None:
    texts = (
        artifacts.tiny,
        f"{artifacts.tiny}@not-fused",
        f"{artifacts.tiny}@plain",
        f"{artifacts.tiny}@folded",
        artifacts.onnx("fp32"),
    )
    asks = [runner_of(text) for text in texts]
    loaded: list[Loaded] = [ask("load") for ask in asks]
    assert {(one.scale, one.channels, one.device) for one in loaded} == {(2, 3, "cpu")}
    assert "tiny.pth: not fused, 2x, float32 on cpu" in [one.description for one in loaded]
    counts = [one.multiply_adds for one in loaded]
    assert counts[0] == counts[2] == pytest.approx(counts[4], rel=0.05)
    matrix = here(Matrix("cpu", THREADS, side=32))
    found = measure(asks, matrix, [(16, 16), (32, 16)], repeats=2)
    assert [one.size for one in found] == [(16, 16), (32, 16)]
    for one in found:
        assert len(one.matrix) == 2
        for passes in one.passes:
            assert len(passes.seconds) == 2
            assert min(*passes.seconds, passes.prepared.seconds) > 0
            assert passes.prepared.description
            assert (passes.prepared.tiles, passes.prepared.pixels) == (1, one.pixels)


def test_a_large_image_is_run_in_tiles(tmp_path: Path) -> None:
    ask = runner_of(write_onnx(tmp_path / "net.onnx"))
    assert ask("load").multiply_adds == 12 * 3 * 9
    prepared = ask("prepare", 600, 514)
    assert prepared.tiles == 2 * 2
    assert prepared.pixels == 4 * 332 * 289, "tiles as upscale takes them, their overlap counted"
    assert ask("run") > 0


def test_quality_is_against_the_first_and_the_originals(tmp_path: Path) -> None:
    kernels = (repeating(), repeating(gain=0.5), repeating())
    files = [write_onnx(tmp_path / f"{index}.onnx", kernel) for index, kernel in enumerate(kernels)]
    asks = [runner_of(file) for file in files]
    for ask in asks:
        ask("load")
    first, darker, same = measure_quality(asks, 2)
    assert first == same
    assert (first.lost, first.to_first) == (0, np.inf)
    assert 20 < first.psnr < 40
    assert darker.lost == pytest.approx(first.psnr - darker.psnr)
    assert darker.lost > 10
    assert 5 < darker.to_first < 20


@pytest.mark.slow  # compiling takes most of a minute
def test_what_is_compiled_is_so_for_each_size(artifacts: Artifacts) -> None:
    ask = runner_of(f"{artifacts.tiny}@float32,compile")
    assert ask("load").description.endswith("float32 on cpu")
    for width, height, side in ((32, 32, 32), (24, 16, 16)):
        prepared: Prepared = ask("prepare", width, height)
        assert re.search(f", compiled for tiles of {side} in |, not compiled: ", prepared.description)
        assert prepared.tiles == (1 if width == height else 2)
        assert ask("run") > 0
    plain = runner_of(f"{artifacts.tiny}@float32")
    plain("load")
    _, compiled = measure_quality([plain, ask], 2)
    assert compiled.to_first > 60
