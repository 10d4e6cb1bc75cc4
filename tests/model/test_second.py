"""The second generation: every reference case and every form."""

from __future__ import annotations

import typing
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load
from spandrel import ImageModelDescriptor, ModelLoader, ModelTiling
from torch import Tensor

from spandrel_aethernet import AetherBase, AetherNet2, fuse, install, load_model, read_checkpoint
from spandrel_aethernet.errors import ArgumentError
from spandrel_aethernet.model.checkpoint import inspect
from spandrel_aethernet.model.fuse_file import fuse_file
from spandrel_aethernet.model.generations import SECOND, deployed, planned
from spandrel_aethernet.model.operators import PRESETS
from spandrel_aethernet.model.second.network import VARIANTS

from ..conftest import make_second
from .reference import SECOND_CASES, Case, load_case

StateDict = dict[str, Any]
Write = Callable[[Any], Path]

FORMS = [
    {},
    {"norm": "layernorm"},
    {"spatial_attn": True, "scale": 3},
    {"channel_attn": False, "scale": 1, "in_chans": 1},
    {"channel_attn": False, "spatial_attn": True, "scale": 4, "in_chans": 4, "mlp_ratio": 1.3},
    {"embed_dim": 50, "depths": (1, 2, 1), "scale": 8, "res_scale": 0.15, "lk_kernel": 3, "sk_kernel": 1},
]


def largest_error(network: Callable[[Tensor], Tensor], case: Case) -> float:
    """Return the largest difference from the published network's output, relative to its largest value."""
    with torch.inference_mode():
        return float((network(case.input) - case.expected).abs().max() / case.expected.abs().max())


@pytest.mark.parametrize("name", SECOND_CASES)
def test_reference_case_matches_the_published_network(name: str, checkpoint_file: Write) -> None:
    case = load_case(name)
    descriptor = load_model(checkpoint_file(case.checkpoint))
    network = descriptor.model
    assert isinstance(network, AetherNet2)
    assert largest_error(network, case) < 1e-5
    assert largest_error(deployed(network, merged=True), case) < 1e-5
    found = network.hyperparameters
    assert (found["embed_dim"], list(found["depths"])) == (case.meta["embed_dim"], case.meta["depths"])
    assert found["res_scale"] == case.meta["res_scale"]
    form = "fused" if case.meta["fused"] else "not fused"
    assert descriptor.tags == [case.meta["variant"], form, *(["QAT"] if case.meta["qat"] else [])]
    whole = descriptor.tiling is ModelTiling.DISCOURAGED
    assert whole == found["channel_attn"]


@pytest.fixture(params=[True, False], ids=["guarded", "stock"])
def guard(request: pytest.FixtureRequest) -> Generator[bool]:
    """Whether spandrel's loader is guarded; without, it hands over the tensors alone."""
    install(guard=request.param)
    yield request.param
    install()


@pytest.mark.parametrize("name", SECOND_CASES)
def test_spandrel_reads_it_where_the_variant_tells_the_rest(
    name: str, guard: bool, checkpoint_file: Write
) -> None:
    case = load_case(name)
    loaded = ModelLoader().load_from_file(checkpoint_file(case.checkpoint))
    assert isinstance(loaded, ImageModelDescriptor)
    descriptor = typing.cast(ImageModelDescriptor[AetherBase], loaded)
    assert descriptor.architecture.id == "AetherNet2"
    if guard or case.meta["variant"] != "custom":
        assert largest_error(descriptor.model, case) < 1e-5


def test_what_was_guessed_is_said() -> None:
    case = load_case("gen2_custom_1x_spatial_fused")
    alone, whole = inspect(case.state_dict), inspect(case.checkpoint)
    assert alone.warning is not None
    assert "res_scale is taken to be 0.1" in alone.warning
    assert whole.warning is None
    assert whole.sources == {"res_scale": "arch_config", "img_range": "arch_config"}
    tiny = inspect(load_case("gen2_tiny_2x_notfused").state_dict)
    assert tiny.sources == {"res_scale": "variant", "img_range": "variant"}
    assert (tiny.hyperparameters["res_scale"], tiny.warning) == (0.2, None)


PUBLISHED = {
    "aether_mobile": (414_859, 409_739, 147, 113),
    "aether_tiny": (525_068, 510_092, 178, 140),
    "aether_small": (1_533_139, 1_493_203, 299, 233),
    "aether_medium": (3_414_299, 3_334_427, 435, 337),
    "aether_large": (9_433_443, 9_246_243, 749, 587),
    "aether_pro": (12_176_379, 11_976_699, 749, 587),
    "aether_extreme": (35_564_855, 35_165_495, 1109, 867),
}
"""Parameters of each 2x variant not fused and fused, and keys of both, of the published network."""


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_named_from_shapes_alone(name: str) -> None:
    for fused, (parameters, keys) in enumerate(zip(PUBLISHED[name][:2], PUBLISHED[name][2:], strict=True)):
        with torch.device("meta"):
            network = AetherNet2(**vars(VARIANTS[name]), fused=bool(fused), norm_fused=bool(fused))
        state_dict = network.state_dict()
        assert (sum(p.numel() for p in network.parameters()), len(state_dict)) == (parameters, keys)
        info = inspect(state_dict)
        assert (info.variant, info.fused, info.generation) == (name, bool(fused), SECOND)


@pytest.mark.parametrize("given", FORMS, ids=str)
def test_every_form_is_read_back_fused_and_folded(given: dict[str, Any], tmp_path: Path) -> None:
    network = make_second(**given)
    x = torch.rand(1, network.in_chans, 11, 9)
    with torch.inference_mode():
        expected = network(x)
        for form in (network.fuse(), deployed(network, merged=True), deployed(network, merged=False)):
            assert torch.allclose(form(x), expected, atol=2e-6 * float(expected.abs().max()))
        for suffix in (".pth", ".safetensors"):
            fuse_file(network, tmp_path / f"fused{suffix}")
            again = load_model(tmp_path / f"fused{suffix}").model
            assert torch.equal(again(x), network.fuse()(x))
            assert again.hyperparameters == network.fuse().hyperparameters | {
                "mlp_ratio": again.hyperparameters["mlp_ratio"],
                "sk_kernel": again.hyperparameters["sk_kernel"],
            }


@pytest.mark.parametrize("parts", ["convolutions", "norms"])
def test_convolutions_and_norms_are_fused_apart_from_each_other(parts: str) -> None:
    network = make_second()
    both, neither = network.fuse().state_dict(), network.state_dict()
    first, second = (both, neither) if parts == "convolutions" else (neither, both)
    state_dict = {key: tensor for key, tensor in first.items() if "norm" not in key}
    state_dict |= {key: tensor for key, tensor in second.items() if "norm" in key}
    checkpoint = read_checkpoint(state_dict)
    assert checkpoint.info.form.startswith("fused c" if parts == "convolutions" else "not fused c")
    x = torch.rand(1, 3, 8, 9)
    with torch.inference_mode():
        assert torch.allclose(checkpoint.network()(x), network(x), atol=1e-5)
        assert torch.allclose(fuse(checkpoint.network())(x), network(x), atol=1e-5)


@pytest.mark.parametrize("prefix", ["module.", "net.", "module.net."])
def test_prefixes_come_off(prefix: str, checkpoint_file: Write) -> None:
    network = make_second()
    state_dict = {prefix + key: tensor for key, tensor in network.state_dict().items()}
    path = checkpoint_file({"params": state_dict, "arch_config": network.arch_config()})
    for loaded in (load_model(path), ModelLoader().load_from_file(path)):
        assert loaded.architecture.id == "AetherNet2"


def test_a_training_that_observes_leaves_a_range_for_every_operator() -> None:
    checkpoint = read_checkpoint(load_case("gen2_small_2x_qat").checkpoint)
    for preset in PRESETS:
        ops = planned(checkpoint.network(), preset, checkpoint.ranges)
        assert ops
        assert all(op.qat_amax(checkpoint.ranges) for op in ops)
        assert not any(op.on_grid(checkpoint.ranges) for op in ops)


def test_half_precision_is_as_near_as_it_can_be() -> None:
    case = load_case("gen2_small_2x_release_fp16")
    network = read_checkpoint(case.checkpoint).network().half()
    assert largest_error(lambda x: network(x.half()).float(), case) < 1e-3


def test_what_is_written_carries_its_arguments(tmp_path: Path) -> None:
    network = make_second(res_scale=0.3, img_range=2.0)
    for suffix in (".pth", ".safetensors"):
        fuse_file(network, tmp_path / f"fused{suffix}")
        found = load_model(tmp_path / f"fused{suffix}").model
        assert (found.hyperparameters["res_scale"], found.img_range) == (0.3, 2.0)
    saved = load((tmp_path / "fused.safetensors").read_bytes())
    assert saved.keys() == network.fuse().state_dict().keys()


@pytest.mark.parametrize(
    "given", [{"norm": "batch"}, {"embed_dim": 7}, {"depths": ()}, {"lk_kernel": 4}, {"scale": 6}], ids=str
)
def test_arguments_that_no_network_has(given: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        make_second(**given)


def test_the_receptive_radius_is_what_it_says() -> None:
    network = make_second(channel_attn=False, spatial_attn=True, depths=(1, 1), lk_kernel=5)
    radius = network.receptive_radius
    assert radius is not None
    x = torch.rand(1, 3, 2 * radius + 9, 4, generator=torch.Generator().manual_seed(2))
    changed = x.clone()
    changed[:, :, 0] += 1
    with torch.inference_mode():
        rows = (network(x) != network(changed)).any(dim=(0, 1, 3)).nonzero().flatten()
    assert int(rows.max()) // 2 <= radius
    assert make_second().receptive_radius is None
