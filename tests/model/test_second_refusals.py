"""What cannot be a second-generation file of the final form, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from spandrel_aethernet import AetherNet2Arch, read_checkpoint
from spandrel_aethernet.errors import CheckpointError
from spandrel_aethernet.model.checkpoint import detect
from spandrel_aethernet.model.generations import FIRST, SECOND

from ..conftest import make_network, make_second

StateDict = dict[str, Any]


def drop(*keys: str) -> Callable[[StateDict], None]:
    def change(state_dict: StateDict) -> None:
        for key in keys:
            del state_dict[key]

    return change


def put(**entries: Tensor) -> Callable[[StateDict], None]:
    return lambda state_dict: state_dict.update(entries)


def renamed(old: str, new: str) -> Callable[[StateDict], None]:
    def change(state_dict: StateDict) -> None:
        for key in [key for key in state_dict if old in key]:
            state_dict[key.replace(old, new)] = state_dict.pop(key)

    return change


def version(*numbers: int) -> Callable[[StateDict], None]:
    return put(model_version=torch.tensor(numbers))


def all_of(*changes: Callable[[StateDict], None]) -> Callable[[StateDict], None]:
    def change(state_dict: StateDict) -> None:
        for one in changes:
            one(state_dict)

    return change


OLD = drop("scale_tensor")
NARROW = put(**{"conv_before_upsample.0.weight": torch.zeros(8, 16, 3, 3)})
FIRSTS = {f"layers.0.0.ffn.{name}.weight": torch.zeros(2, 2) for name in ("fc1_gate", "fc1_main")}
INT8 = torch.zeros(1, 16, 1, 1, dtype=torch.int8)
BAD: list[tuple[str, Callable[[StateDict], None], str]] = [
    ("missing", drop("norm.weight"), r"norm\.weight is missing"),
    ("missing block", renamed("stages.0.1.", "stages.0.2."), r"block stages\.0\.1 is missing"),
    ("extra", put(other=torch.zeros(1)), "other is not part of AetherNet"),
    ("misshapen", put(**{"norm.bias": torch.zeros(3)}), r"norm\.bias has shape 3: expected 1×16×1×1"),
    ("mixed generations", put(**FIRSTS), "keys of AetherNet and AetherNet2 are mixed"),
    ("scale", put(scale_tensor=torch.tensor(4)), r"scale_tensor says 4x, .* is that of 2x"),
    ("no scale", put(scale_tensor=torch.tensor(5)), "scale_tensor is 5: expected one of 1, 2, 3, 4, 8"),
    ("NaN", put(**{"norm.running_var": torch.full((1, 16, 1, 1), torch.nan)}), "is NaN or infinite in 16"),
    ("negative", put(**{"norm.running_var": -torch.ones(1, 16, 1, 1)}), "holds a negative variance"),
    ("int8", put(**{"norm.bias": INT8}), "is of type int8"),
    ("1.1", all_of(OLD, put(scale=torch.tensor(2))), r"AetherNet 1\.1 or 1\.2"),
    ("2.0.0", all_of(OLD, renamed("fusion_layer.fusion_conv", "fusion_layer.conv")), r"AetherNet 2\.0\.0"),
    ("prototype", all_of(OLD, NARROW), "a prototype"),
    ("no version", OLD, "or its scale_tensor is missing"),
    ("3.1.0", version(3, 1, 0), r"AetherNet 3\.1\.0, early"),
    ("3.1.1 early", version(3, 1, 1), r"AetherNet 3\.1\.1, early"),
]


@pytest.mark.parametrize(("change", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_does_not_fit_is_named(change: Callable[[StateDict], None], message: str) -> None:
    state_dict: StateDict = {key: tensor.clone() for key, tensor in make_second().state_dict().items()}
    change(state_dict)
    assert detect(state_dict), "it must be claimed, or nobody says what is wrong with it"
    with pytest.raises(CheckpointError, match=message):
        AetherNet2Arch().load(state_dict)


def test_an_early_file_whose_norms_are_fused_is_the_final_form() -> None:
    network = make_second().fuse()
    found = read_checkpoint(network.state_dict() | {"model_version": torch.tensor([3, 1, 1])})
    x = torch.rand(1, 3, 8, 9)
    with torch.inference_mode():
        assert torch.equal(found.network()(x), network(x))


def test_a_record_of_another_network_is_refused() -> None:
    network = make_second()
    config = network.arch_config() | {"depths": [2, 2]}
    with pytest.raises(CheckpointError, match=r"arch_config says depths \(2, 2\), but .* \(2, 1\)"):
        read_checkpoint({"params": network.state_dict(), "arch_config": config})
    config = network.arch_config() | {"res_scale": float("nan")}
    with pytest.raises(CheckpointError, match="arch_config says res_scale nan"):
        read_checkpoint({"params": network.state_dict(), "arch_config": config})


def test_generations_claim_only_their_own() -> None:
    first, second = make_network().state_dict().keys(), make_second().state_dict().keys()
    assert (FIRST.claims(first), SECOND.claims(first)) == (True, False)
    assert (FIRST.claims(second), SECOND.claims(second)) == (False, True)
