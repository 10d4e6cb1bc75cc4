"""The architecture as spandrel and chaiNNer use it."""

from __future__ import annotations

import copy
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spandrel
import torch
from safetensors.torch import save
from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelLoader
from torch import Tensor

from spandrel_aethernet import AETHERNET_REGISTRY, AetherNet, AetherNetArch, install
from spandrel_aethernet.model.checkpoint import detect

from ..conftest import make_network
from .reference import CASES, SECOND_CASES, Case, load_case


def load(path: Path) -> ImageModelDescriptor[AetherNet]:
    descriptor = ModelLoader().load_from_file(path)
    assert isinstance(descriptor, ImageModelDescriptor)
    assert isinstance(descriptor.model, AetherNet)
    return typing.cast(ImageModelDescriptor[AetherNet], descriptor)


def largest_error(descriptor: ImageModelDescriptor[AetherNet], case: Case) -> float:
    with torch.inference_mode():
        return float((descriptor.model(case.input) - case.expected).abs().max())


@pytest.mark.parametrize("name", CASES)
def test_reference_case_matches_the_published_network(
    name: str, checkpoint_file: Callable[[Any], Path]
) -> None:
    case = load_case(name)
    descriptor = load(checkpoint_file(case.checkpoint))
    assert largest_error(descriptor, case) < 1e-5
    assert descriptor.model.hyperparameters["fused"] is True
    assert descriptor.model.hyperparameters["depths"] == tuple(case.meta["depths"])
    assert descriptor.model.hyperparameters["embed_dim"] == case.meta["embed_dim"]
    assert (descriptor.scale, descriptor.input_channels) == (case.meta["scale"], case.meta["in_channels"])
    assert descriptor.output_channels == descriptor.input_channels
    assert descriptor.purpose == "SR"
    found = ["fused" if case.meta["fused"] else "not fused"] + (["QAT"] if case.meta["qat"] else [])
    assert descriptor.tags == [f"aether_{name.partition('_')[0]}", *found]
    assert (descriptor.model.trained_ranges is not None) == bool(case.meta["qat"])


WRAPPERS = [None, "params", "params_ema", "params-ema", "net_g", "state_dict", "anything"]


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_wrapper_and_prefix(tmp_path: Path, wrapper: str | None, prefix: str, suffix: str) -> None:
    network = make_network()
    state_dict: dict[str, Any] = {prefix + key: tensor for key, tensor in network.state_dict().items()}
    path = tmp_path / f"model{suffix}"
    torch.save({wrapper: state_dict} if wrapper else state_dict, path)
    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        assert float((load(path).model(x) - network(x)).abs().max()) < 1e-5


@pytest.mark.parametrize("wrapper", WRAPPERS[1:-1])
def test_wrappers_with_other_keys_beside(wrapper: str, checkpoint_file: Callable[[Any], Path]) -> None:
    state_dict = {f"module.{key}": tensor for key, tensor in make_network().state_dict().items()}
    assert load(checkpoint_file({"iter": 5, wrapper: state_dict})).tags == ["custom", "not fused"]


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", ["small_2x_qat_notfused", "medium_4x_notfused", "small_3x_gray_fused"])
def test_what_the_descriptor_saves_loads_again_equal(
    name: str, suffix: str, tmp_path: Path, checkpoint_file: Callable[[Any], Path]
) -> None:
    """What chaiNNer's Save Model does, half precision included."""
    first = load(checkpoint_file(load_case(name).checkpoint))
    for step in ("float32", "float16"):
        saved = first.model.state_dict()
        path = tmp_path / f"{step}{suffix}"
        path.write_bytes(save(saved)) if suffix == ".safetensors" else torch.save(saved, path)
        again = load(path)
        assert again.model.hyperparameters == {**first.model.hyperparameters, "fused": True}
        assert again.model.trained_ranges == first.model.trained_ranges
        loaded = again.model.state_dict()
        assert loaded.keys() == saved.keys()
        assert all(torch.equal(loaded[key], saved[key].float()) for key in saved)
        first.model.half()


def test_the_file_a_dict_came_from_is_not_changed() -> None:
    case = load_case("small_2x_qat_notfused")
    before = copy.deepcopy(case.state_dict)
    AetherNetArch().load(case.state_dict)
    assert list(case.state_dict) == list(before)
    assert all(torch.equal(case.state_dict[key], before[key]) for key in before)


def test_raw_weights_are_a_choice() -> None:
    case = load_case("small_2x_qat_notfused")
    grid, raw = (AetherNetArch(weights=w).load(case.state_dict).model for w in ("grid", "raw"))
    key = "conv_first.weight"
    assert torch.equal(raw.state_dict()[key], case.state_dict[key])
    assert not torch.equal(grid.state_dict()[key], case.state_dict[key])


def test_restoration_is_what_a_1x_network_is_for() -> None:
    descriptor = AetherNetArch().load(make_network(scale=1).state_dict())
    assert (descriptor.purpose, descriptor.scale) == ("Restoration", 1)


@pytest.mark.parametrize("method", ["half", "bfloat16"])
def test_declared_half_support_is_real(method: str) -> None:
    descriptor = AetherNetArch().load(load_case("small_2x_fused").state_dict)
    x = load_case("small_2x_fused").input
    expected = descriptor(x)
    getattr(descriptor, method)()
    output = descriptor(x.to(descriptor.dtype)).float()
    error = 10 * torch.log10(1 / (output - expected).square().mean())
    assert float(error) > {"half": 60, "bfloat16": 40}[method]


@pytest.mark.parametrize("height", range(1, 9))
def test_size_requirements_are_none_and_that_is_true(height: int) -> None:
    descriptor = AetherNetArch().load(make_network(scale=3).state_dict())
    requirements = descriptor.size_requirements
    assert (requirements.minimum, requirements.multiple_of, requirements.square) == (0, 1, False)
    for width in (1, 2, 5, 16):
        assert descriptor(torch.rand(1, 3, height, width)).shape == (1, 3, 3 * height, 3 * width)


def test_install_may_be_called_twice_and_is_needed() -> None:
    assert "AetherNet" in MAIN_REGISTRY
    assert install() == []
    with pytest.raises(spandrel.DuplicateArchitectureError):
        install(ignore_duplicates=False)
    assert [support.architecture.id for support in AETHERNET_REGISTRY] == ["AetherNet", "AetherNet2"]


def built_in_state_dicts() -> dict[str, dict[str, Tensor]]:
    """Build every built-in architecture whose network class can be built with its defaults."""
    found: dict[str, dict[str, Tensor]] = {}
    for support in MAIN_REGISTRY:
        arch = support.architecture
        hint = typing.get_type_hints(type(arch).load)["return"]
        classes = [option for option in typing.get_args(hint) if isinstance(option, type)]
        classes += [option for union in typing.get_args(hint) for option in typing.get_args(union)]
        for network_class in classes:
            for device in ("meta", "cpu"):  # some read values while they are built
                try:
                    with torch.device(device):
                        found[f"{arch.id} {network_class.__name__}"] = network_class().state_dict()
                    break
                except (TypeError, AssertionError, RuntimeError):  # it has no defaults that work
                    continue
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_we_claim_no_file_of_a_built_in_architecture() -> None:
    others = {name: sd for name, sd in built_in_state_dicts().items() if not name.startswith("AetherNet")}
    assert len(others) >= 30
    assert [name for name, state_dict in others.items() if detect(state_dict)] == []


@pytest.mark.parametrize("name", CASES + SECOND_CASES)
def test_no_other_architecture_claims_our_files(name: str) -> None:
    state_dict = load_case(name).state_dict
    claiming = [s.architecture.id for s in MAIN_REGISTRY if s.architecture.detect(state_dict)]
    assert claiming == ["AetherNet2" if name in SECOND_CASES else "AetherNet"]
