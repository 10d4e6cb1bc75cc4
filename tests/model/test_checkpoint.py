"""Reading hyper-parameters from keys and shapes, and naming what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from spandrel_aethernet import AetherNetArch, read_checkpoint
from spandrel_aethernet.errors import CheckpointError
from spandrel_aethernet.model.checkpoint import detect, inspect
from spandrel_aethernet.model.first.network import VARIANTS, AetherNet

from ..conftest import make_network

StateDict = dict[str, Any]

CUSTOM = [
    {"embed_dim": 10, "depths": (1,), "lk_kernel": 3, "sk_kernel": 1},
    {"embed_dim": 7, "depths": (1, 3, 2), "lk_kernel": 31, "sk_kernel": 5, "scale": 8},
    {"embed_dim": 16, "depths": (2,), "mlp_ratio": 2.66, "scale": 1, "in_chans": 4},
    {"embed_dim": 49, "depths": (1, 1), "mlp_ratio": 1.5 / 49, "scale": 3, "in_chans": 1},
    {"embed_dim": 9, "depths": (1,), "lk_kernel": 1, "sk_kernel": 1, "scale": 4},
]


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("hyperparameters", CUSTOM)
def test_custom_networks_are_read_back(hyperparameters: dict[str, Any], fused: bool) -> None:
    network = make_network(**hyperparameters)
    if fused:
        network = network.fuse()
    x = torch.rand(1, network.in_chans, 6, 7)
    info = inspect(network.state_dict())
    assert (info.variant, info.fused) == ("custom", fused)
    loaded = AetherNetArch().load(network.state_dict()).model
    with torch.inference_mode():
        assert float((loaded(x) - network(x)).abs().max()) < 1e-5
    told = {key: value for key, value in hyperparameters.items() if key != "mlp_ratio"}
    if fused:
        told.pop("sk_kernel", None)
    assert told.items() <= info.hyperparameters.items()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", VARIANTS)
def test_published_variants_are_named_from_shapes_alone(name: str, fused: bool) -> None:
    with torch.device("meta"):
        state_dict = AetherNet(**vars(VARIANTS[name]), fused=fused).state_dict()
    assert detect(state_dict)
    info = inspect(state_dict)
    assert info.variant == name
    assert info.parameters == sum(tensor.numel() for tensor in state_dict.values())
    assert vars(VARIANTS[name]).items() <= {"sk_kernel": 3, **info.hyperparameters}.items()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_load_as_float32(dtype: torch.dtype) -> None:
    state_dict = make_network().to(dtype).state_dict()
    assert inspect(state_dict).dtype == dtype
    model = AetherNetArch().load(state_dict).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def drop(*keys: str) -> Callable[[StateDict], None]:
    def change(state_dict: StateDict) -> None:
        for key in keys:
            del state_dict[key]

    return change


def put(key: str, value: object) -> Callable[[StateDict], None]:
    def change(state_dict: StateDict) -> None:
        state_dict[key] = value

    return change


def both_forms(state_dict: StateDict) -> None:
    state_dict.update(make_network().fuse().state_dict())


def block_far_away(state_dict: StateDict) -> None:
    state_dict["layers.0.400000000.conv.lk_conv.weight"] = torch.zeros(1)


def missing_block(state_dict: StateDict) -> None:
    for key in list(state_dict):
        if key.startswith("layers.0.0."):
            del state_dict[key]


def kernels(side: int) -> Callable[[StateDict], None]:
    def change(state_dict: StateDict) -> None:
        for key in state_dict:
            if key.endswith("lk_conv.weight"):
                state_dict[key] = torch.rand(12, 1, side, side)

    return change


def small_kernels(state_dict: StateDict) -> None:
    for key in state_dict:
        if key.endswith("sk_conv.weight"):
            state_dict[key] = torch.rand(12, 1, 9, 9)


def not_finite(value: float) -> Callable[[StateDict], None]:
    def change(state_dict: StateDict) -> None:
        state_dict["norm.weight"][3:5] = value

    return change


BAD: list[tuple[str, Callable[[StateDict], None], str]] = [
    ("both forms", both_forms, "fused and not fused keys are mixed.*fused_conv.*lk_bias"),
    ("missing tensor", drop("layers.1.0.norm.bias"), "layers.1.0.norm.bias is missing"),
    ("missing first", drop("conv_first.weight"), "conv_first.weight is missing"),
    ("missing many", drop("norm.weight", "norm.bias"), "norm.weight, norm.bias are missing"),
    ("missing branch", drop("layers.0.1.conv.sk_conv.weight"), "layers.0.1.conv.sk_conv.weight is missing"),
    ("extra tensor", put("attention.weight", torch.zeros(1)), "attention.weight is not part of AetherNet"),
    ("wrong shape", put("norm.weight", torch.ones(13)), "norm.weight has shape 13: expected 12"),
    (
        "wrong first shape",
        put("conv_first.weight", torch.ones(12, 3, 5, 5)),
        "conv_first.weight has shape 12×3×5×5: expected 12×3×3×3",
    ),
    (
        "wrong kernel in one block",
        put("layers.0.1.conv.lk_conv.weight", torch.ones(12, 1, 9, 9)),
        "layers.0.1.conv.lk_conv.weight has shape 12×1×9×9: expected 12×1×7×7",
    ),
    ("missing block", missing_block, "block layers.0.0 is missing, but layers.0.1 is there"),
    ("far block", block_far_away, "block layers.0.2 is missing, but layers.0.400000000 is there"),
    ("even kernels", kernels(8), "lk_conv.weight has kernels of 8x8: expected an odd size of at most 31"),
    ("too large kernels", kernels(33), "kernels of 33x33: expected an odd size of at most 31"),
    ("small larger than large", small_kernels, "sk_conv \\(9\\) are larger than those of lk_conv \\(7\\)"),
    ("NaN", not_finite(float("nan")), "norm.weight is NaN or infinite in 2 places"),
    ("infinity", not_finite(float("-inf")), "norm.weight is NaN or infinite in 2 places"),
    ("integer weights", put("norm.weight", torch.ones(12, dtype=torch.int8)), "norm.weight is of type int8"),
    ("no tensor", put("norm.weight", [1.0]), "norm.weight' names a value of type list"),
    ("scale of no upsamplers", put("upsample.4.weight", torch.ones(1)), "upsample.0, .4 stand for no scale"),
    (
        "damaged range",
        put("trained_ranges.activations.quant", torch.ones(3)),
        "trained_ranges.activations.quant",
    ),
]


@pytest.mark.parametrize(("change", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_does_not_fit_is_named(change: Callable[[StateDict], None], message: str) -> None:
    state_dict: StateDict = {key: tensor.clone() for key, tensor in make_network().state_dict().items()}
    change(state_dict)
    assert detect(state_dict), "it must be claimed, or nobody says what is wrong with it"
    with pytest.raises(CheckpointError, match=message):
        AetherNetArch().load(state_dict)


def test_upsamplers_that_spell_no_scale() -> None:
    state_dict = make_network().state_dict()
    state_dict["upsample.0.weight"], state_dict["upsample.0.bias"] = (
        torch.ones(1024, 64, 3, 3),
        torch.ones(1024),
    )
    with pytest.raises(CheckpointError, match=r"upsample.0 gives 1024 channels.*256 \(2x\) or 576 \(3x\)"):
        inspect(state_dict)
    state_dict = make_network(scale=4).state_dict()
    del state_dict["upsample.0.weight"], state_dict["upsample.0.bias"]
    with pytest.raises(CheckpointError, match=r"upsample\.2 stand for no scale"):
        inspect(state_dict)


def test_a_file_without_either_form_is_no_aethernet() -> None:
    assert not detect({"conv_first.weight": torch.zeros(1), "layers.0.0.mlp.fc1.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"not an AetherNet checkpoint"):
        inspect({"layers.0.0.ffn.fc1_gate.weight": torch.zeros(2, 2)})


def test_nothing_is_copied_that_need_not_be() -> None:
    state_dict: dict[str, Tensor] = make_network().state_dict()
    checkpoint = read_checkpoint(state_dict)
    assert all(checkpoint.state_dict[key] is state_dict[key] for key in state_dict)
