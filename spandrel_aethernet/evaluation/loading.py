"""What passes before the first image: importing, loading, exporting, calibrating; each beside its bound."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from ..data import PHOTOGRAPHS, half_size
from ..progress import SILENT, Progress
from .children import started

LARGE: Mapping[str, Any] = {"embed_dim": 180, "depths": (8,) * 8, "mlp_ratio": 2.5, "lk_kernel": 13}
"""The arguments of an aether_large 2x."""
_IMPORT_SECONDS = 0.03
_LOADS_OF_TORCH = 1.5
_EXPORT_SECONDS = {17: 10.0, 20: 5.0}
"""By opset."""
_CALIBRATION_SECONDS = 60.0


@dataclass(frozen=True)
class Figure:
    """How long something takes, and may take; all in seconds."""

    name: str
    bound: float
    passes: Sequence[float]
    reference: Sequence[float] = field(default=())
    """Passes of what the bound is a multiple of, in turns with its own; empty if it is a time."""

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(self.passes)

    def describe(self) -> dict[str, Any]:
        """Return it for JSON; `ratio` is 1 at the bound."""
        return {
            "name": self.name,
            "seconds": self.seconds,
            "bound_seconds": self.bound,
            "ratio": self.seconds / self.bound,
            "passes": [*self.passes],
            "reference_passes": [*self.reference],
        }


class Timer:
    """Times one thing, in a process that did nothing else before; every method returns seconds."""

    def imports(self) -> float:
        """Import this package where spandrel is imported already."""
        import_module("spandrel")
        del sys.modules["spandrel_aethernet"]  # which this process began with
        return _seconds(lambda: import_module("spandrel_aethernet"))

    def loads(self, model: Path, repeats: int) -> list[tuple[float, float]]:
        """Load a checkpoint by this package and by `torch.load`, in turns, once each before it counts."""
        torch, ours = import_module("torch"), import_module("spandrel_aethernet")
        turns = [
            (_seconds(lambda: ours.load_model(model)), _seconds(lambda: torch.load(model, weights_only=True)))
            for _ in range(repeats + 1)
        ]
        return turns[1:]

    def exports(self, model: Path, opset: int) -> tuple[float, float, float]:
        """Export a checkpoint as FP32: with what has to be imported for it, again, and with a comparison."""
        ours = import_module("spandrel_aethernet")

        def exported(verified: bool) -> float:
            options = {"precision": "fp32", "opset": opset, "verified": verified}
            return _seconds(lambda: ours.export_network(model, **options))

        return exported(False), exported(False), exported(True)

    def calibrate(self, network: Mapping[str, Any]) -> float:
        """Calibrate a network with random weights on the bundled photographs, which are read before."""
        from ..images.channels import as_tensor, feed_for, to_network
        from ..images.files import read_picture

        ours = import_module("spandrel_aethernet")
        pixels = [as_tensor(read_picture(half_size(name)).pixels)[None] for name in PHOTOGRAPHS]
        photographs = [to_network(each, feed_for(3, 3)) for each in pixels]
        made = ours.AetherNet(**network).eval()

        def calibrated() -> None:
            calibrator = ours.Calibrator(made)
            for photograph in photographs:
                calibrator.see(photograph)

        return _seconds(calibrated)


def measure(
    model: Path, *, calibrated: Mapping[str, Any] = LARGE, repeats: int = 7, progress: Progress = SILENT
) -> list[Figure]:
    """Time a checkpoint's loading and export, and the calibration of a network with these arguments.

    Imports have a process for each pass, the exports of an opset one; imports and loads have `repeats`
    passes, the others one. Raises what loading and exporting raise. `progress` begins one step.
    """

    def ask(method: str, *given: object) -> Any:
        with started(Timer, name="the timer") as child:
            result = child.ask(method, *given, poll=progress.poll)
        progress.advance()
        return result

    progress.begin("timing", repeats + 2 + len(_EXPORT_SECONDS))
    imports = [ask("imports") for _ in range(repeats)]
    ours, torchs = zip(*ask("loads", model, repeats), strict=True)
    figures = [
        Figure("import, beyond that of spandrel", _IMPORT_SECONDS, imports),
        Figure("load and fuse", _LOADS_OF_TORCH * statistics.median(torchs), ours, torchs),
    ]
    for opset, bound in _EXPORT_SECONDS.items():
        what = f"export, opset {opset}"
        first, again, compared = ask("exports", model, opset)
        figures += [
            Figure(what, bound, [again]),
            Figure(f"{what}, in a process that did nothing before", bound, [first]),
            Figure(f"{what}, and compare", bound, [compared]),
        ]
    return [*figures, Figure("calibrate", _CALIBRATION_SECONDS, [ask("calibrate", calibrated)])]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
