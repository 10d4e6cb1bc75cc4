"""The network itself: forms, sizes, dtypes, compilers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from spandrel_aethernet import ActivationRange, AetherNet, TrainedRanges
from spandrel_aethernet.model.base import SCALES
from spandrel_aethernet.model.first.network import VARIANTS

from ..conftest import make_network


def largest_difference(first: torch.Tensor, second: torch.Tensor) -> float:
    return float((first.float() - second.float()).detach().abs().max())


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("in_chans", [1, 3, 4])
def test_fused_and_not_fused_agree_for_every_scale_and_channel_count(scale: int, in_chans: int) -> None:
    network = make_network(scale=scale, in_chans=in_chans, sk_kernel=5)
    x = torch.rand(2, in_chans, 9, 14)
    with torch.inference_mode():
        expected, fused = network(x), network.fuse()(x)
    assert fused.shape == (2, in_chans, 9 * scale, 14 * scale)
    assert largest_difference(expected, fused) < 1e-5
    assert float(expected.std()) > 1e-3, "a network that answers the same everywhere proves nothing"


def test_forward_is_the_published_arithmetic() -> None:
    """Written out a second time, with other operators, from the table of the published computation."""
    network = make_network(depths=(1,), img_range=2.0)
    p = dict(network.named_parameters())
    x = torch.rand(1, 3, 8, 9)

    def conv(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], padding="same")

    def norm(x: torch.Tensor, name: str, eps: float) -> torch.Tensor:
        centred = x - x.mean(1, keepdim=True)
        unit = centred / (centred.square().mean(1, keepdim=True) + eps).sqrt()
        return unit * p[f"{name}.weight"].view(1, -1, 1, 1) + p[f"{name}.bias"].view(1, -1, 1, 1)

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = p[f"layers.0.0.ffn.{name}.weight"], p[f"layers.0.0.ffn.{name}.bias"]
        return F.conv2d(x, weight[:, :, None, None], bias)

    f = conv((x - 0.5) * 2.0, "conv_first")
    name = "layers.0.0.conv."
    large = F.conv2d(f, p[name + "lk_conv.weight"], p[name + "lk_bias"], padding="same", groups=12)
    small = F.conv2d(f, p[name + "sk_conv.weight"], p[name + "sk_bias"], padding="same", groups=12)
    y = norm(large + small, "layers.0.0.norm", 1e-6)
    gate = linear(y, "fc1_gate")
    gelu = gate * 0.5 * (1 + torch.erf(gate / 2**0.5))
    r = f + linear(gelu * linear(y, "fc1_main"), "fc2")
    r = conv(norm(r, "norm", 1e-5), "conv_after_body") + f
    head = conv(r, "conv_before_upsample.0")
    head = torch.where(head > 0, head, 0.01 * head)
    expected = conv(F.pixel_shuffle(conv(head, "upsample.0"), 2), "conv_last") / 2.0 + 0.5
    assert largest_difference(network(x), expected) < 1e-5


@pytest.mark.parametrize(
    ("name", "not_fused", "fused"), [("aether_small", 1_388_963, 1_373_603), ("aether_large", None, None)]
)
def test_published_variants_have_the_published_parameter_counts(
    name: str, not_fused: int | None, fused: int | None
) -> None:
    variant = VARIANTS[name]
    with torch.device("meta"):
        counts = [
            sum(p.numel() for p in AetherNet(**vars(variant), fused=form).parameters())
            for form in (False, True)
        ]
    blocks = sum(variant.depths)
    assert counts[0] - counts[1] == blocks * variant.embed_dim * (variant.sk_kernel**2 + 1)
    if not_fused is not None:
        assert counts == [not_fused, fused]


def test_hidden_width_is_truncated_as_published() -> None:
    with torch.device("meta"):
        large = AetherNet(**vars(VARIANTS["aether_large"]))
    assert large.state_dict()["layers.0.0.ffn.fc2.weight"].shape == (180, 450)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (5, 1), (16, 17), (31, 8)])
def test_every_size_works(network: AetherNet, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert network(torch.rand(1, 3, *size)).shape == (1, 3, 2 * size[0], 2 * size[1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precisions_stay_near_float32(
    network: AetherNet, image: torch.Tensor, dtype: torch.dtype
) -> None:
    with torch.inference_mode():
        expected = network(image)
        output = copy.deepcopy(network).to(dtype)(image.to(dtype))
    assert output.dtype == dtype
    assert largest_difference(expected, output) < 32 * torch.finfo(dtype).eps


def test_training_keeps_both_branches_trainable(network: AetherNet, image: torch.Tensor) -> None:
    network.train()
    network(image).square().mean().backward()
    for branch in ("lk_conv.weight", "sk_conv.weight", "lk_bias", "sk_bias"):
        gradient = dict(network.named_parameters())[f"layers.0.1.conv.{branch}"].grad
        assert gradient is not None
        assert float(gradient.abs().sum()) > 0


def test_fuse_returns_a_copy_and_leaves_the_network_as_it_was(network: AetherNet) -> None:
    network.trained_ranges = TrainedRanges({"quant": ActivationRange(-0.5, 0.5)})
    before = copy.deepcopy(network.state_dict())
    fused = network.half().train().fuse()
    assert fused.hyperparameters == {**network.hyperparameters, "fused": True}
    assert fused.training
    assert next(fused.parameters()).dtype == torch.float16
    assert fused.trained_ranges == network.trained_ranges
    network.float()
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key].half().float()) for key in before if "ranges" not in key)
    with torch.no_grad():
        next(fused.parameters()).zero_()
    assert float(next(network.parameters()).detach().abs().sum()) > 0


def test_ranges_are_exact_after_half_and_a_round_trip(network: AetherNet) -> None:
    ranges = TrainedRanges({"quant": ActivationRange(-0.1, 100_000.3)}, {"conv_first": (1e-9, 0.123456789)})
    network.trained_ranges = ranges
    state_dict = network.half().state_dict()
    other = make_network()
    other.load_state_dict(state_dict)
    assert other.trained_ranges is not None
    for point, span in ranges.activations.items():
        assert other.trained_ranges.activations[point].max == pytest.approx(span.max, rel=1e-7)
    assert other.trained_ranges.weight_scales["conv_first"] == pytest.approx(
        ranges.weight_scales["conv_first"], rel=1e-7
    )
    other.load_state_dict(make_network().state_dict())
    assert other.trained_ranges is None, "ranges belong to the weights they came with"


def test_strict_loading_still_names_foreign_keys(network: AetherNet) -> None:
    with pytest.raises(RuntimeError, match="foreign"):
        network.load_state_dict({**network.state_dict(), "foreign.weight": torch.zeros(1)})


def test_torch_export_with_dynamic_shapes(network: AetherNet) -> None:
    dims = {0: torch.export.Dim("batch"), 2: torch.export.Dim("height"), 3: torch.export.Dim("width")}
    fused = network.fuse().eval()
    program = torch.export.export(fused, (torch.rand(2, 3, 12, 10),), dynamic_shapes=({**dims},))
    x = torch.rand(3, 3, 21, 17)
    assert largest_difference(program.module()(x), fused(x)) < 1e-6


def test_torch_compile_in_one_graph(network: AetherNet, image: torch.Tensor) -> None:
    compiled = torch.compile(network.fuse().eval(), backend="aot_eager", fullgraph=True)
    with torch.inference_mode():
        assert largest_difference(compiled(image), network(image)) < 1e-5


def test_receptive_radius_is_where_influence_ends() -> None:
    for scale in SCALES:
        network = make_network(scale=scale, depths=(1, 1)).double().requires_grad_(False)
        radius = network.receptive_radius
        x = torch.rand(1, 3, 1, 4 * radius, dtype=torch.float64, requires_grad=True)
        centre = 2 * radius
        network(x)[..., centre * scale : (centre + 1) * scale].sum().backward()
        assert x.grad is not None
        reached = x.grad.abs().sum((0, 1, 2)).nonzero().flatten()
        assert centre - radius == int(reached.min())
        assert centre + radius == int(reached.max())


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"scale": 5}, "scale is 5: expected one of 1, 2, 3, 4, 8"),
        ({"lk_kernel": 8}, "lk_kernel must be odd"),
        ({"lk_kernel": 33}, "lk_kernel must be odd and at most 31"),
        ({"sk_kernel": 2}, "sk_kernel must be odd"),
        ({"sk_kernel": 9}, "must not be larger than lk_kernel"),
        ({"depths": ()}, "every depth"),
        ({"depths": (2, 0)}, "every depth"),
        ({"in_chans": 0}, "in_chans"),
        ({"mlp_ratio": 0.01}, "mlp_ratio"),
    ],
)
def test_impossible_hyperparameters_are_refused(hyperparameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network(**hyperparameters)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_cuda(network: AetherNet, image: torch.Tensor, dtype: torch.dtype) -> None:
    with torch.inference_mode():
        expected = network(image)
        output = network.fuse().to("cuda", dtype)(image.to("cuda", dtype)).cpu()
    assert largest_difference(expected, output) < max(1e-3, 32 * torch.finfo(dtype).eps)
