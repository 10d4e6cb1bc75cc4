"""Paths, networks and descriptors become one thing: a checkpoint with a name and a SHA-256."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from spandrel.architectures.ESRGAN import ESRGAN, ESRGANArch

from spandrel_aethernet import ActivationRange, AetherNetArch, ArgumentError, CheckpointError, TrainedRanges
from spandrel_aethernet.model.checkpoint import Checkpoint
from spandrel_aethernet.model.io import save_state_dict
from spandrel_aethernet.model.source import as_source

from ..conftest import make_network
from .reference import load_case

RANGES = TrainedRanges(
    {"quant": ActivationRange(-0.5, 0.5)}, {"conv_first": (0.1,) * 12}, {"layers.0.0.ffn.fc2": 2.5}
)


def assert_same(first: Checkpoint, second: Checkpoint) -> None:
    assert first.info == second.info
    assert first.ranges == second.ranges
    assert list(first.state_dict) == list(second.state_dict)
    assert all(torch.equal(first.state_dict[key], second.state_dict[key]) for key in first.state_dict)


def test_a_path_is_named_and_told_apart_by_its_bytes(checkpoint_file: Callable[[Any], Path]) -> None:
    case = load_case("small_2x_qat_notfused")
    path = checkpoint_file(case.checkpoint)
    source = as_source(str(path))
    assert (source.name, source.path) == ("checkpoint.pth", path)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert source.checkpoint.info.layout == "not fused, QAT"
    raw = as_source(path, weights="raw").checkpoint.state_dict["conv_first.weight"]
    assert torch.equal(raw, case.state_dict["conv_first.weight"])
    assert not torch.equal(source.checkpoint.state_dict["conv_first.weight"], raw)


@pytest.mark.parametrize("fused", [False, True])
def test_a_network_in_memory_is_what_its_file_would_be(tmp_path: Path, fused: bool) -> None:
    network = make_network(fused=fused)
    network.trained_ranges = RANGES
    source = as_source(network, name="mine")
    assert (source.name, source.path) == ("mine.safetensors", None)
    save_state_dict(network.state_dict(), tmp_path / source.name)
    saved = as_source(tmp_path / source.name)
    assert (source.name, source.sha256) == (saved.name, saved.sha256)
    assert_same(source.checkpoint, saved.checkpoint)


def test_a_descriptor_is_the_network_it_holds_and_named_after_it() -> None:
    descriptor = AetherNetArch().load(load_case("small_2x_fused").state_dict)
    source = as_source(descriptor)
    assert source.name == "aether_small_2x.safetensors"
    assert source.sha256 == as_source(descriptor.model).sha256
    assert as_source(make_network(scale=4)).name == "custom_4x.safetensors"


def test_a_half_precision_network_is_that_of_its_values_in_float32() -> None:
    half = make_network().half()
    again = as_source(copy.deepcopy(half).float())
    source = as_source(half)
    assert source.sha256 == again.sha256
    assert source.checkpoint.info.dtype == torch.float32
    assert_same(source.checkpoint, again.checkpoint)


def test_a_network_in_memory_stays_as_it_is_whatever_is_done_to_the_source() -> None:
    network = make_network().bfloat16().train()
    before = copy.deepcopy(network.state_dict())
    for tensor in as_source(network).checkpoint.state_dict.values():
        tensor.zero_()
    assert network.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    assert next(network.parameters()).dtype == torch.bfloat16


def test_a_source_is_returned_as_it_is() -> None:
    source = as_source(make_network())
    assert as_source(source, name="other") is source


def test_what_no_file_can_tell_a_network_in_memory_does(image: torch.Tensor) -> None:
    network = make_network(img_range=2.0)
    with torch.inference_mode():
        assert torch.equal(as_source(network).checkpoint.network()(image), network(image))


def test_other_weights_are_refused_before_anything_is_read() -> None:
    weights: Any = "rwa"
    with pytest.raises(ArgumentError, match="weights is 'rwa': expected one of grid, raw"):
        as_source(Path("missing.pth"), weights=weights)


def test_other_objects_are_refused() -> None:
    other = ESRGANArch().load(ESRGAN(num_blocks=1).state_dict())
    with pytest.raises(ArgumentError, match="RRDBNet is not AetherNet: give a network or a checkpoint"):
        as_source(other)
    number: Any = 42
    with pytest.raises(ArgumentError, match="int is not AetherNet"):
        as_source(number)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"missing\.pth cannot be read: No such file"):
        as_source(tmp_path / "missing.pth")
    path = tmp_path / "odd.safetensors"
    save_state_dict({**make_network().state_dict(), "odd.weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"odd\.safetensors: odd.weight is not part of AetherNet"):
        as_source(path)
