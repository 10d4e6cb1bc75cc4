"""The comparison of an exported model with its network, on models that are and that are not the network."""

from __future__ import annotations

import copy

import onnx
import pytest
import torch

from spandrel_aethernet import OnnxError, Precision, Profile, Range
from spandrel_aethernet.model.generations import deployed
from spandrel_aethernet.model.source import as_source
from spandrel_aethernet.onnx_export.verify import sizes, verify

from ..artifacts import TINY, Artifacts
from ..conftest import make_network


@pytest.mark.parametrize("merged", [False, True])
def test_deployable_computes_the_same(merged: bool, image: torch.Tensor) -> None:
    network = make_network()
    with torch.inference_mode():
        assert float((deployed(network, merged=merged)(image) - network(image)).abs().max()) < 1e-5


@pytest.mark.parametrize("merged", [False, True])
def test_deployable_leaves_the_network_as_it_is(merged: bool) -> None:
    network = make_network()
    before = copy.deepcopy(network.state_dict())
    deployed(network, merged=merged)
    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(network.state_dict()[key], before[key]) for key in before)


def test_a_model_agrees_with_its_network_at_three_sizes(artifacts: Artifacts, image: torch.Tensor) -> None:
    model = onnx.load(str(artifacts.onnx("fp32")))
    network = as_source(artifacts.tiny).checkpoint.network()
    found = verify(model, network, network, image, Profile(), Precision("fp32"))
    assert [one.shape for one in found] == [(1, 3, 64, 64), (1, 3, 61, 97), (2, 3, 48, 35)]
    assert all(one.psnr > 80 for one in found)
    assert all(one.largest_difference < 1e-4 for one in found)


def test_a_model_of_another_network_does_not_agree(artifacts: Artifacts, image: torch.Tensor) -> None:
    model = onnx.load(str(artifacts.onnx("fp32")))
    other = make_network(**TINY, img_range=2.0)
    with pytest.raises(OnnxError, match=r"dB at 1×3×64×64, expected 80\.0 dB or more"):
        verify(model, other, other, image, Profile(), Precision("fp32"))


def test_sizes_stay_within_the_profile() -> None:
    profile = Profile(Range.only(1), Range(70, 80, 90), Range(16, 32, 40))
    assert sizes(profile) == [(1, 70, 40), (1, 70, 35)]
