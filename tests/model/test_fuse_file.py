"""Fusing networks in memory and files, compared before anything is kept."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from spandrel_aethernet import (
    ActivationRange,
    AetherNet,
    ArgumentError,
    CheckpointError,
    OutputError,
    TrainedRanges,
    fuse,
)
from spandrel_aethernet.model.fuse_file import fuse_file
from spandrel_aethernet.model.source import as_source

from ..conftest import make_network


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_network_in_memory_is_fused_in_the_dtype_asked_for(
    network: AetherNet, image: torch.Tensor, dtype: torch.dtype
) -> None:
    network.trained_ranges = TrainedRanges({"quant": ActivationRange(-0.1, 100_000.0)})
    before = copy.deepcopy(network.state_dict())
    fused = fuse(network, dtype=dtype)
    assert fused.hyperparameters["fused"]
    assert {parameter.dtype for parameter in fused.parameters()} == {dtype}
    assert fused.trained_ranges is not None
    assert fused.trained_ranges.activations["quant"].max == 100_000.0
    assert not fused.training
    with torch.inference_mode():
        difference = float((fused.float()(image) - network(image)).abs().max())
    assert difference < max(1e-5, 8 * torch.finfo(dtype).eps)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_a_path_is_fused_as_its_network_is(
    checkpoint_file: Callable[[Any], Path], network: AetherNet
) -> None:
    first, second = fuse(checkpoint_file(network.state_dict())), fuse(network)
    assert all(torch.equal(tensor, first.state_dict()[key]) for key, tensor in second.state_dict().items())


def test_a_network_that_fusing_would_change_is_refused(network: AetherNet, tmp_path: Path) -> None:
    """Branches that cancel leave rounding errors in the form found, and none in the fused one."""
    with torch.no_grad():
        network.get_parameter("layers.0.0.conv.lk_conv.weight")[:, :, 3, 3] += 1e6
        network.get_parameter("layers.0.0.conv.sk_conv.weight")[:, :, 1, 1] -= 1e6
    with pytest.raises(CheckpointError, match=r"custom_2x\.safetensors: fused and not fused outputs differ"):
        fuse(network)
    with pytest.raises(CheckpointError, match="cannot be fused in float32"):
        fuse_file(network, tmp_path / "fused.pth")
    assert list(tmp_path.iterdir()) == []


def test_values_that_a_dtype_cannot_hold_are_named(network: AetherNet) -> None:
    network.get_parameter("conv_last.bias").data[0] = 1e6
    with pytest.raises(
        CheckpointError, match=r"conv_last\.bias is too large for float16: fuse it as float32"
    ):
        fuse(network, dtype=torch.float16)
    assert float(fuse(network, dtype=torch.bfloat16).state_dict()["conv_last.bias"][0]) > 9e5


def test_other_weights_are_refused(network: AetherNet) -> None:
    weights: Any = "rwa"
    with pytest.raises(ArgumentError, match="weights is 'rwa': expected one of grid, raw"):
        fuse(network, weights=weights)


def test_a_source_is_written_without_its_file(checkpoint_file: Callable[[Any], Path], tmp_path: Path) -> None:
    path = checkpoint_file(make_network().state_dict())
    source = as_source(path)
    path.unlink()
    report = fuse_file(source, tmp_path / "fused.safetensors", dtype=torch.float16)
    assert (report.found.layout, report.keeps_ranges) == ("not fused", False)
    assert report.difference < 1e-5 < report.written_difference < 0.01
    expected = fuse(make_network(), dtype=torch.float16).state_dict()
    written = load((tmp_path / "fused.safetensors").read_bytes())
    assert written.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in written.items())


def test_a_target_is_looked_at_before_the_source(tmp_path: Path) -> None:
    (tmp_path / "fused.pth").write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"exists and is kept: .*replace it with force=True"):
        fuse_file(tmp_path / "missing.pth", tmp_path / "fused.pth")
