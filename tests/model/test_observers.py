"""QAT checkpoints of all three recipes, made here by torch.ao.quantization itself."""

from __future__ import annotations

import copy
import importlib
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spandrel_aethernet import AetherNet, AetherNetArch, read_checkpoint
from spandrel_aethernet.errors import CheckpointError
from spandrel_aethernet.model.large_kernel import fuse_large_kernels
from spandrel_aethernet.model.observers import is_observer_key

from ..conftest import make_network

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ao: Any = importlib.import_module(
        "torch.ao.quantization"
    )  # deprecated and untyped, and what training uses

pytestmark = pytest.mark.filterwarnings("ignore")


def moving_average() -> Any:
    """FakeQuantize on activations and weights."""
    activation = ao.FakeQuantize.with_args(
        observer=ao.MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=torch.quint8
    )
    return ao.QConfig(activation=activation, weight=ao.default_per_channel_weight_fake_quant)


def observed_activations() -> Any:
    """Plain observers on activations, FakeQuantize on weights."""
    activation = ao.MinMaxObserver.with_args(dtype=torch.quint8, qscheme=torch.per_tensor_affine)
    return ao.QConfig(activation=activation, weight=ao.default_per_channel_weight_fake_quant)


def fbgemm() -> Any:
    """Observers everywhere, nothing fake-quantized."""
    return ao.get_default_qconfig("fbgemm")


RECIPES = [moving_average, observed_activations, fbgemm]


def train_with(recipe: Callable[[], Any], *, fused: bool = False) -> Any:
    """Return a small network that was trained with a recipe, to do anything with."""
    return copy.deepcopy(_trained(recipe, fused))


@cache
def _trained(recipe: Callable[[], Any], fused: bool) -> Any:
    """Prepare a small network for QAT, let its observers see values, and move it off its own grid."""
    network: Any = make_network(fused=fused).train()
    if fused:  # a file that was fused after training has no observers there
        for block in network.layers.modules():
            if hasattr(block, "fused_conv"):
                block.qconfig = None
    network.qconfig = recipe()
    prepared = ao.prepare_qat(network)
    for seed in range(3):
        prepared(torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(seed)))
    with torch.no_grad():
        for name, parameter in prepared.named_parameters():
            if name.endswith("weight"):
                parameter.mul_(0.97)
    prepared.apply(ao.disable_observer)
    return prepared.eval()


def output_with_float_activations(prepared: Any, x: Tensor) -> Tensor:
    """What the training's forward pass computes when only the weights are fake-quantized."""
    for module in prepared.modules():
        observer: Any = getattr(module, "activation_post_process", None)
        if isinstance(observer, ao.FakeQuantize) and not hasattr(module, "fake_quant_enabled"):
            observer.disable_fake_quant()
    with torch.no_grad():
        return prepared(x)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("recipe", RECIPES)
def test_loaded_network_computes_what_the_training_computed(
    recipe: Callable[[], Any], fused: bool, image: Tensor
) -> None:
    prepared = train_with(recipe, fused=fused)
    descriptor = AetherNetArch().load(prepared.state_dict())
    assert descriptor.tags == ["custom", "fused" if fused else "not fused", "QAT"]
    expected = output_with_float_activations(prepared, image)
    with torch.inference_mode():
        assert float((descriptor.model(image) - expected).abs().max()) < 1e-5
        raw = AetherNetArch(weights="raw").load(prepared.state_dict()).model(image)
    moved = float((raw - expected).abs().max())
    assert moved > 1e-3 if recipe is not fbgemm else moved < 1e-5


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_observed_point_is_collected_with_its_range(recipe: Callable[[], Any]) -> None:
    prepared = train_with(recipe)
    ranges = read_checkpoint(prepared.state_dict()).ranges
    assert ranges is not None
    leaves = {
        name
        for name, module in prepared.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear | nn.LayerNorm | nn.LeakyReLU)
    }
    assert leaves <= set(ranges.activations)
    observer = prepared.get_submodule("layers.0.1.ffn.fc1_gate.activation_post_process")
    observer = getattr(observer, "activation_post_process", observer)
    span = ranges.activations["layers.0.1.ffn.fc1_gate"]
    assert (span.min, span.max) == (float(observer.min_val), float(observer.max_val))
    weights = {name for name in leaves if isinstance(prepared.get_submodule(name), nn.Conv2d | nn.Linear)}
    assert set(ranges.weight_scales) == (set() if recipe is fbgemm else weights)
    if recipe is not fbgemm:
        scale = prepared.state_dict()["conv_last.weight_fake_quant.scale"]
        assert ranges.weight_scales["conv_last"] == tuple(map(float, scale))


def test_grid_weights_are_whole_multiples_of_the_trained_scale() -> None:
    checkpoint = read_checkpoint(train_with(moving_average).state_dict())
    assert checkpoint.ranges is not None
    for module, scales in checkpoint.ranges.weight_scales.items():
        weight = checkpoint.state_dict[f"{module}.weight"]
        quantized = weight / torch.tensor(scales).view(-1, *[1] * (weight.ndim - 1))
        assert float((quantized - quantized.round()).abs().max()) < 1e-4, module
        assert int(quantized.round().max()) <= 127
        assert int(quantized.round().min()) >= -128


def test_weights_whose_fake_quantizer_was_off_stay_as_they_are() -> None:
    state_dict = train_with(moving_average).state_dict()
    state_dict["conv_first.weight_fake_quant.fake_quant_enabled"].zero_()
    checkpoint = read_checkpoint(state_dict)
    assert torch.equal(checkpoint.state_dict["conv_first.weight"], state_dict["conv_first.weight"])
    assert checkpoint.ranges is not None
    assert "conv_first" not in checkpoint.ranges.weight_scales


def test_an_observer_that_saw_nothing_gives_no_range() -> None:
    network: Any = make_network().train()
    network.qconfig = fbgemm()
    checkpoint = read_checkpoint(ao.prepare_qat(network).state_dict())
    assert checkpoint.info.qat
    assert checkpoint.ranges is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(12), "not a positive number"),
        (torch.full((12,), torch.nan), "not a positive number"),
        (torch.ones(5), "has 5 scales: expected one for each of the 12"),
    ],
)
def test_damaged_scales_are_named(value: Tensor, message: str) -> None:
    state_dict = train_with(moving_average).state_dict()
    state_dict["conv_first.weight_fake_quant.scale"] = value
    with pytest.raises(CheckpointError, match=f"conv_first.weight_fake_quant.scale.*{message}"):
        read_checkpoint(state_dict)


def test_observers_are_not_part_of_what_is_loaded() -> None:
    prepared = train_with(moving_average)
    assert any(is_observer_key(key) for key in prepared.state_dict())
    loaded = AetherNetArch().load(prepared.state_dict()).model
    assert isinstance(loaded, AetherNet)
    assert not any(is_observer_key(key) for key in loaded.state_dict())


@pytest.mark.parametrize("fused", [False, True])
def test_a_grid_that_was_never_observed_is_no_grid(fused: bool) -> None:
    """Straight after prepare_qat every scale is 1, and every weight would round to nothing."""
    network: Any = make_network(fused=fused).train()
    network.qconfig = ao.get_default_qat_qconfig("fbgemm")
    state_dict = ao.prepare_qat(network).state_dict()
    checkpoint = read_checkpoint(state_dict)
    assert torch.equal(checkpoint.state_dict["conv_first.weight"], state_dict["conv_first.weight"])
    assert checkpoint.ranges is None


def test_observers_of_branches_that_were_fused_away_do_no_harm() -> None:
    state_dict = fuse_large_kernels(train_with(moving_average).state_dict())
    assert "layers.0.0.conv.lk_conv.weight_fake_quant.scale" in state_dict
    assert read_checkpoint(state_dict).info.layout == "fused, QAT"
