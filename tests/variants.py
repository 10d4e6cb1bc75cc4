"""Every published variant of the second generation, exported in four precisions and built as an engine.

Prints the page docs/second-generation.md: sizes, build times, and how much stays INT8. No trained weights can
be had, so the networks are drawn; quality is no matter of theirs. Takes some minutes on two cores:

    python -m tests.variants > docs/second-generation.md
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from spandrel_aethernet import AetherNet2, build_engine, export_onnx
from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.runtime import find_runtime
from spandrel_aethernet.model.second.network import VARIANTS

from .conftest import drawn

PRECISIONS = ("fp32", "fp16", "fp32-int8", "fp16-int8")
TARGET = "8.6"

_PAGE = """# The second generation, by variant

Written by `python -m tests.variants`. Networks of each published variant at 2x, their weights drawn at
random: no trained weights of this generation can be had, so this page tells sizes, times and what stays
INT8, and nothing of quality (for which see the first generation in [onnx.md](onnx.md)). Every ONNX file
agreed with PyTorch in ONNX Runtime before it was written; agreement is the least over files and sizes.
Engines were built from `fp16-int8` for compute capability {target} by TensorRT for RTX {version}, on {cores}
CPU cores without a GPU. Seconds of the exports are in the order of the precisions.

{head}
{bars}
{rows}
"""
_HEAD = (
    *("variant", "parameters, fused", *PRECISIONS, "export (s)", "agreement"),
    *("engine", "build (s)", "INT8 planned", "still INT8"),
)


def main(names: Sequence[str]) -> None:
    """Print the page for these variants."""
    rows: list[str] = []
    with TemporaryDirectory() as folder:
        for name in names:
            print(name, file=sys.stderr)  # noqa: T201
            rows.append(_row(name, Path(folder)))
    page = _PAGE.format(
        target=TARGET,
        version=find_runtime("rtx").version,
        cores=os.cpu_count(),
        head=f"| {' | '.join(_HEAD)} |",
        bars="|---" * len(_HEAD) + "|",
        rows="\n".join(rows),
    )
    print(page, end="")  # noqa: T201


def _row(name: str, folder: Path) -> str:
    network = drawn(AetherNet2(**vars(VARIANTS[name])))
    sizes: list[str] = []
    seconds: list[str] = []
    agreements: list[float] = []
    for precision in PRECISIONS:
        target = folder / f"{name}_{precision}.onnx"
        start = time.monotonic()
        report = export_onnx(network, target, precision=precision)
        seconds.append(f"{time.monotonic() - start:.0f}")
        sizes.append(f"{target.stat().st_size / 1e6:.1f} MB")
        agreements += [agreement.psnr for agreement in report.agreements]
    options = BuildOptions(runtime="rtx", targets=[TARGET])
    source = folder / f"{name}_{PRECISIONS[-1]}.onnx"
    built = build_engine(source, folder / f"{name}.engine", options)
    planned = built.info.operators["int8"]
    cells = [
        name,
        f"{sum(parameter.numel() for parameter in network.fuse().parameters()):,}",
        *sizes,
        " ".join(seconds),
        f"{min(agreements):.0f} dB",
        f"{built.path.stat().st_size / 1e6:.1f} MB",
        f"{built.info.build_seconds:.0f}",
        str(planned),
        str(planned - len(built.info.fell_back)),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main(sys.argv[1:] or [name for name in VARIANTS if name not in ("aether_pro", "aether_extreme")])
