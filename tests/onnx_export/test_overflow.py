"""Networks whose weights or values float16 cannot hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spandrel_aethernet import AetherNet, OnnxError, export_onnx
from spandrel_aethernet.cli.options import option_words

from ..artifacts import TINY
from ..conftest import make_network


def with_weight(name: str, factor: float) -> AetherNet:
    network = make_network(**TINY)
    with torch.no_grad():
        network.get_parameter(name).mul_(factor)
    return network


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "factor", "precision", "sentence"),
    [
        ("conv_first.weight", 1e6, "fp16-int8", r"conv_first\.weight holds .*, which is too large"),
        ("conv_after_body.weight", 1e5, "fp16", r"Conv of conv_after_body\.weight makes values that are too"),
    ],
)
def test_what_float16_cannot_hold_is_named_and_no_file_is_written(
    name: str, factor: float, precision: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(OnnxError, match=sentence) as raised:
        export_onnx(with_weight(name, factor), tmp_path / "net.onnx", precision=precision)
    other = precision.replace("fp16", "fp32")
    assert str(raised.value).endswith(
        f"float16, which ends at 65504, so nothing was written: use precision='{other}'"
    )
    assert raised.value.message.text(option_words).endswith(f"use --precision {other}")
    assert list(tmp_path.iterdir()) == []
