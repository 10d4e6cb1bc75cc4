"""What `aethernet benchmark` found, as tables and as a document."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..evaluation.benchmark import SizeResult, describe, size_text
from ..evaluation.contestants import Contestant
from ..evaluation.quality import Quality
from ..evaluation.runner import Loaded
from .console import ERR, OUT, print_rows, print_table


@dataclass(frozen=True)
class Report:
    """All that was measured."""

    machine: Mapping[str, Any]
    called: Mapping[str, Contestant]
    contestants: Mapping[str, Loaded]
    """By their names; those that could not be loaded are left out."""
    sizes: Sequence[SizeResult]
    exponents: Sequence[float | None]
    quality: Sequence[Quality] | None

    @property
    def names(self) -> list[str]:
        """Of the contestants."""
        return [*self.contestants]

    @property
    def products(self) -> list[float | None]:
        """Multiply-adds a pixel of each contestant."""
        return [one.multiply_adds for one in self.contestants.values()]

    def describe(self) -> dict[str, Any]:
        """Return all of it for JSON; a PSNR of equal images is null."""
        return {
            "machine": self.machine,
            "contestants": [
                {
                    "name": name,
                    "file": str(self.called[name].path),
                    "options": self.called[name].options,
                    "form": self.called[name].form,
                    "description": one.description,
                    "scale": one.scale,
                    "channels": one.channels,
                    "device": one.device,
                    "load_seconds": one.seconds,
                    "multiply_adds_per_pixel": one.multiply_adds,
                    "growth": exponent,
                    "quality": quality and {key: _finite(value) for key, value in vars(quality).items()},
                }
                for (name, one), exponent, quality in zip(
                    self.contestants.items(), self.exponents, self._qualities, strict=True
                )
            ],
            "sizes": describe(self.names, self.products, self.sizes),
        }

    @property
    def _qualities(self) -> Sequence[Quality | None]:
        return self.quality or [None] * len(self.contestants)


def print_notes(report: Report) -> None:
    """Tell what became of compiling, to stderr: by whom and for which size."""
    for result in report.sizes:
        for (name, loaded), one in zip(report.contestants.items(), result.passes, strict=True):
            if one.prepared.description != loaded.description:
                ERR.print(f"{size_text(result.size)}, {name}: {one.prepared.description}")


def print_report(report: Report) -> None:
    """Print the machine, one row a size and contestant, and one row a contestant."""
    machine = report.machine
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    speed = statistics.median(each for result in report.sizes for each in result.matrix)
    cores = f"{machine['cores']} cores, {machine['threads']} threads"
    rows = {
        "CPU": f"{machine['cpu']}, {machine['vector']}, {cores}",
        **({"GPU": f"{machine['gpu']}, driver {machine['driver']}"} if "gpu" in machine else {}),
        "system": f"{machine['system']}, Python {machine['python']}",
        "libraries": libraries,
        "matrices": f"{2e-9 * speed:.0f} GFLOP/s in float32",
    }
    print_rows(rows)
    OUT.print()
    _print_times(report)
    OUT.print()
    _print_contestants(report)


def _print_times(report: Report) -> None:
    head = ["input", "network", "median", "quartiles", "MP/s", "frames/s", "speed", "memory", "of matrices"]
    rows: list[list[str]] = []
    for result in report.sizes:
        shares = result.shares(report.products)
        for name, one, ratio, share in zip(report.names, result.passes, result.ratios, shares, strict=True):
            low, high = one.quartiles
            rows.append(
                [
                    "×".join(map(str, result.size)),
                    name,
                    f"{one.median * 1e3:.1f} ms",
                    f"{low * 1e3:.1f} to {high * 1e3:.1f}",
                    f"{result.pixels / one.median / 1e6:.3g}",
                    f"{1 / one.median:.3g}",
                    f"{ratio:.2f}",
                    "-" if one.peak is None else f"{one.peak / 1e6:.0f} MB",
                    "-" if share is None else f"{share:.0%}",
                ]
            )
    print_table(head, rows, left=2)


def _print_contestants(report: Report) -> None:
    head = ["network", "loading", "first pass", "products/pixel", "growth"]
    if report.quality:
        head += ["PSNR", "lost", "to first"]
    rows: list[list[str]] = []
    for index, (name, one) in enumerate(report.contestants.items()):
        exponent, first = report.exponents[index], report.sizes[0].passes[index].prepared.seconds
        row = [name, f"{one.seconds:.2f} s", f"{first:.2f} s", _thousands(one.multiply_adds)]
        row.append("-" if exponent is None else f"pixels^{exponent:.2f}")
        if report.quality:
            found = report.quality[index]
            to_first = f"{found.to_first:.1f} dB" if index else "-"
            lost = f"{round(found.lost, 3) + 0.0:.3f} dB" if index else "-"  # no minus before a zero
            row += [f"{found.psnr:.2f} dB", lost, to_first]
        rows.append(row)
    print_table(head, rows)


def _thousands(number: float | None) -> str:
    return "-" if number is None else f"{number / 1e3:.0f}k"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
