"""How good contestants are on the bundled photographs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ..data import PHOTOGRAPHS, half_size, original
from ..progress import SILENT, Progress
from .benchmark import Ask
from .compare import BORDER
from .metrics import pooled, psnr_inside
from .pairs import PairFiles, read_pair


@dataclass(frozen=True)
class Quality:
    """One contestant's 8-bit output of all photographs."""

    psnr: float
    """Mean over the photographs against the originals, dB."""
    lost: float
    """How much less that is than the first contestant's, dB; negative if it is more."""
    to_first: float
    """PSNR against the first contestant's output, of the mean squared difference; infinite if equal, dB."""


def measure_quality(contestants: Sequence[Ask], scale: int, *, progress: Progress = SILENT) -> list[Quality]:
    """Let contestants that are loaded upscale the bundled photographs.

    For other scales than 2 the originals are shrunk, see `read_pair`. `progress` begins a step of as many
    parts as there are images to be made.
    """
    pairs = [PairFiles(original(name), half_size(name)) for name in PHOTOGRAPHS]
    progress.begin("quality", len(contestants) * len(pairs))
    scores: list[list[float]] = [[] for _ in contestants]
    differences: list[list[float]] = [[] for _ in contestants]
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Path(folder, "made.npy")
        for pair in pairs:
            truth = read_pair(pair, scale).original
            first: NDArray[np.uint8] | None = None
            for index, ask in enumerate(contestants):
                ask("upscale", pair, made)
                output: NDArray[np.uint8] = np.load(made)
                first = output if first is None else first
                scores[index].append(psnr_inside(output, truth, border=BORDER))
                differences[index].append(psnr_inside(output, first, border=0))
                progress.advance()
    means = [statistics.fmean(own) for own in scores]
    return [Quality(mean, means[0] - mean, pooled(own)) for mean, own in zip(means, differences, strict=True)]
