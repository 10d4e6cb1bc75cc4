"""A benchmark as a picture: how long each contestant takes, and how that grows with the size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import OutputError, missing_extras
from ..files import check_target, replacing
from .benchmark import SizeResult, size_text

_SUFFIXES = (".png", ".svg", ".pdf")
_ROW = 0.36
"""Inches that a bar takes."""
_MARKERS = "osD^vP*X<>ph"


def check_chart(target: Path, *, force: bool) -> None:
    """Raise `OutputError` if a chart cannot be written there, `MissingPackageError` without Matplotlib."""
    if target.suffix.lower() not in _SUFFIXES:
        raise OutputError(f"{target} is not named like a chart: expected one of {', '.join(_SUFFIXES)}")
    check_target(target, force=force)
    _figure_class()


def write_chart(
    names: Sequence[str], results: Sequence[SizeResult], target: Path, *, force: bool = False
) -> None:
    """Draw bars for the largest size, with quartiles, and beside them times against sizes if they are many.

    The second is on logarithmic axes with a line along which time is proportional to pixels. Raises as
    `check_chart` does.
    """
    check_chart(target, force=force)
    many = len({result.pixels for result in results}) > 1
    height = max(3.6, 1.4 + _ROW * len(names) * (1.6 if many else 1))
    figure = _figure_class()(figsize=(13 if many else 8, height), dpi=120, layout="constrained")
    axes: Any = figure.subplots(1, 2 if many else 1, squeeze=False)[0]
    colours = [f"C{index % 10}" for index in range(len(names))]
    _draw_bars(axes[0], names, colours, max(results, key=lambda result: result.pixels))
    if many:
        _draw_growth(axes[1], names, colours, sorted(results, key=lambda result: result.pixels))
    with replacing(target, force=force) as partial:
        figure.savefig(partial, format=target.suffix.lower().removeprefix("."))


def _draw_bars(axes: Any, names: Sequence[str], colours: Sequence[str], result: SizeResult) -> None:
    scale, unit = _unit(max(one.median for one in result.passes))
    medians = [one.median * scale for one in result.passes]
    below = [own - one.quartiles[0] * scale for own, one in zip(medians, result.passes, strict=True)]
    above = [one.quartiles[1] * scale - own for own, one in zip(medians, result.passes, strict=True)]
    rows = range(len(names))
    axes.barh(rows, medians, xerr=[below, above], color=colours, capsize=3, height=0.7)
    axes.set_yticks(rows, [name.replace(", ", "\n", 1) for name in names])
    axes.invert_yaxis()
    end = max(own + more for own, more in zip(medians, above, strict=True))
    axes.set_xlim(0, end * 1.28)
    for row, (own, more, ratio) in enumerate(zip(medians, above, result.ratios, strict=True)):
        axes.text(own + more + end * 0.02, row, f"{own:.3g} {unit} ({ratio:.2f}×)", va="center", fontsize=9)
    axes.set_xlabel(f"{unit} a pass: median and quartiles (times as fast as the first)")
    axes.set_title(f"input of {_title(result)}")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_growth(
    axes: Any, names: Sequence[str], colours: Sequence[str], results: Sequence[SizeResult]
) -> None:
    pixels = [result.pixels for result in results]
    for index, (name, colour) in enumerate(zip(names, colours, strict=True)):
        marker = _MARKERS[index % len(_MARKERS)]
        medians = [result.passes[index].median for result in results]
        axes.plot(pixels, medians, color=colour, marker=marker, markersize=5, linewidth=1.2, label=name)
    last = results[-1].passes[0].median
    line = [last * each / pixels[-1] for each in pixels]
    axes.plot(pixels, line, color="black", linestyle=":", linewidth=1.2, label="proportional to pixels")
    axes.set_xscale("log")
    axes.set_yscale("log")
    shown = {result.pixels: _title(result) for result in results}
    axes.set_xticks([*shown], [*shown.values()], rotation=30, ha="right")
    axes.yaxis.set_major_locator(_every_decade())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_ylabel("seconds a pass")
    axes.set_title("time against size, logarithmic")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize=8, loc="upper left")


def _title(result: SizeResult) -> str:
    return size_text(result.size).replace("x", "×")


def _unit(seconds: float) -> tuple[float, str]:
    return (1, "s") if seconds >= 2 else (1e3, "ms")


def _every_decade() -> Any:
    """Return what puts ticks at 1, 2 and 5 of each decade."""
    from matplotlib.ticker import LogLocator

    return LogLocator(subs=(1, 2, 5))


def _figure_class() -> Any:
    """Return Matplotlib's figure, which draws without a display if no window is asked for."""
    with missing_extras():
        from matplotlib.figure import Figure
    return Figure
