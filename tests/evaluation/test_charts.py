"""A benchmark's picture: drawn, named, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from spandrel_aethernet.errors import OutputError
from spandrel_aethernet.evaluation.benchmark import Passes, SizeResult
from spandrel_aethernet.evaluation.charts import check_chart, write_chart
from spandrel_aethernet.evaluation.runner import Prepared
from spandrel_aethernet.images.files import read_picture

pytest.importorskip("matplotlib")


def results(*sides: int) -> list[SizeResult]:
    found: list[SizeResult] = []
    for side in sides:
        prepared = Prepared(0.1, 1, side**2, "")
        spread = ([side**2 * 1e-6 * each * times for times in (1, 1.1, 1.3)] for each in (3, 2))
        found.append(SizeResult((side, side), [Passes(prepared, own, None) for own in spread], [1e9]))
    return found


@pytest.mark.slow  # the first figure finds the fonts of the machine
@pytest.mark.parametrize("sides", [(64,), (64, 256, 128)])
def test_a_chart_is_drawn(sides: tuple[int, ...], tmp_path: Path) -> None:
    target = tmp_path / "speed.png"
    write_chart(["a.pth, float32", "b.onnx"], results(*sides), target)
    pixels = read_picture(target).pixels
    assert pixels.shape[1] == (8 if len(sides) == 1 else 13) * 120
    colours = {tuple(one) for one in pixels[::3, ::3, :3].reshape(-1, 3).tolist()}
    assert {(31, 119, 180), (255, 127, 14)} <= colours, "bars in Matplotlib's first two colours"
    with pytest.raises(OutputError, match="exists and is kept"):
        write_chart(["a", "b"], results(*sides), target)


@pytest.mark.slow
def test_a_chart_can_be_lines(tmp_path: Path) -> None:
    target = tmp_path / "speed.svg"
    write_chart(["a", "b"], results(64, 128), target)
    assert "<svg" in target.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [target]


def test_a_name_that_is_none_of_a_chart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"speed.bmp is not named like a chart: expected one of .png, .svg"):
        check_chart(tmp_path / "speed.bmp", force=False)
