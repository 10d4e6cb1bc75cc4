"""`aethernet demo`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest

from spandrel_aethernet.data import DEMO_MODEL, PHOTOGRAPHS, original
from spandrel_aethernet.evaluation.demo import CROP, PHOTOGRAPH, ZOOM
from spandrel_aethernet.evaluation.metrics import psnr_inside
from spandrel_aethernet.images.files import read_picture
from spandrel_aethernet.onnx_model.metadata import read_metadata

from ..conftest import Result


@pytest.mark.slow
def test_demo_does_and_shows_the_main_job(aethernet: Callable[..., Result], tmp_path: Path) -> None:
    out = tmp_path / "demo"
    result = aethernet("demo", "-o", out)
    assert result.code == 0, result.err
    assert "aether_small, not fused, QAT, 2x, trained ranges of 104 points" in result.out
    scores = re.search(r"bicubic ([\d.]+) dB, AetherNet ([\d.]+) dB", result.out)
    assert scores is not None
    upscaled, truth = (
        read_picture(out / f"{PHOTOGRAPH}_2x.png").pixels,
        read_picture(original(PHOTOGRAPH)).pixels,
    )
    assert float(scores[2]) == round(psnr_inside(upscaled, truth), 2) > float(scores[1]) + 2
    comparison = read_picture(out / f"{PHOTOGRAPH}_comparison.png").pixels
    shown = truth[CROP].repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    height, width = shown.shape[:2]
    assert np.array_equal(comparison[-height:, -width:], shown), "the original is the panel on the right"
    assert {"report.json", "SHA256SUMS", "aether_small_2x_fp16_int8.onnx"} <= {
        path.name for path in (out / "release").iterdir()
    }
    table = result.out[result.out.index("released") :].splitlines()[2:7]
    assert [row.split()[0] for row in table] == [
        "aether_small_2x_fused.pth",
        *(f"aether_small_2x_{form}.onnx" for form in ("fp32", "fp16", "fp32_int8", "fp16_int8")),
    ]
    assert (out / "release" / "aether_small_2x_notfused.pth").read_bytes() == DEMO_MODEL.read_bytes()
    report = json.loads((out / "release" / "report.json").read_text(encoding="utf-8"))
    shares = [file["int8_share"] for file in report["files"] if file["name"].endswith(".onnx")]
    assert [share and round(share, 2) for share in shares] == [None, None, 0.82, 0.84]
    metadata = read_metadata(onnx.load(out / "release" / "aether_small_2x_fp16_int8.onnx"))
    assert metadata is not None
    assert (metadata.source, metadata.preset) == (DEMO_MODEL.name, "tensorrt")
    engine = out / "release" / "aether_small_2x_fp16_int8_rtx.engine"
    assert engine.exists() == (find_spec("tensorrt_rtx") is not None)
    labels = comparison[:-height]
    assert all(
        (labels[:, start : start + width] < 128).any() for start in (0, width, labels.shape[1] - width)
    )


def test_demo_keeps_what_is_there(aethernet: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / f"{PHOTOGRAPH}_comparison.png").write_bytes(b"precious")
    result = aethernet("demo", "-o", tmp_path)
    assert result.code == 1
    assert "exists and is kept" in result.err
    assert [item.read_bytes() for item in tmp_path.iterdir()] == [b"precious"]


def test_bundled_data_is_small_and_has_its_sources() -> None:
    folder = DEMO_MODEL.parent
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) < 12_000_000
    sources = (folder / "SOURCES.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in sources for name in PHOTOGRAPHS)
    assert DEMO_MODEL.name in sources
