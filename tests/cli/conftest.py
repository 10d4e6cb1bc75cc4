"""What several commands are tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ..conftest import make_network


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with networks and files that are none."""
    from ..engines.networks import upscaler  # which takes ONNX

    monkeypatch.chdir(tmp_path)
    upscaler(Path("small.onnx"))
    upscaler(Path("int8.onnx"), np.float16, int8=True)
    upscaler(Path("products.onnx"), product=True)
    upscaler(Path("fixed.onnx"), shape=(1, 3, 64, 64))
    torch.save(make_network().state_dict(), "small.pth")
    Path("kept.engine").write_bytes(b"kept")
    Path("described.engine.json").write_text("kept")
    Path("file").write_bytes(b"")
    return tmp_path


@pytest.fixture
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small 2x checkpoint."""
    path = tmp_path_factory.mktemp("model") / "small_2x.pth"
    torch.save(make_network().state_dict(), path)
    return path
