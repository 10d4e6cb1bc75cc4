"""Checkpoints whose names and tensors ended in an error of somebody else's, or wrote on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import safetensors.torch
import torch
from torch import Tensor

from ..files import CONTROLS, File, Seeds
from ..mutators.headers import framed
from ..mutators.structures import loaded
from ..pickling import saved
from .breaker import Breaker, Make, checkpoint, fixed

_DIGITS = "9" * 5000
_OBSERVER = "layers.0.0.conv.lk_conv.weight_fake_quant."


def _other(name: str, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Make:
    """Return what makes a seed with other tensors."""
    return lambda seeds: File("odd.pth", saved(change(dict(loaded(seeds.folder / "checkpoints" / name)))))


def _observed(**tensors: Tensor) -> Make:
    """Return what makes a QAT checkpoint with other tensors in one observer."""
    return _other(
        "tiny.pth", lambda known: known | {_OBSERVER + key: tensor for key, tensor in tensors.items()}
    )


def _renamed(key: str, suffix: str = ".safetensors") -> Make:
    """Return what makes a checkpoint with one tensor more."""

    def make(seeds: Seeds) -> File:
        known = {**loaded(seeds.folder / "checkpoints" / "plain.pth"), key: torch.ones(8)}
        content = safetensors.torch.save(known) if suffix == ".safetensors" else saved(known)
        return File(f"odd{suffix}", content)

    return make


def _header(text: str) -> Make:
    return fixed(File("odd.safetensors", framed(text)))


def _loud(known: dict[str, Tensor]) -> dict[str, Tensor]:
    """Let the network answer with more than float16 holds, though none of its weights is."""
    return {key: one * 10_000 if key == "conv_last.weight" else one for key, one in known.items()}


BREAKERS: Mapping[str, Breaker] = {
    "layers of thousands of digits": checkpoint(
        "?", _renamed(f"layers.{_DIGITS}.0.conv.fused_conv.weight", ".pth")
    ),
    "blocks of thousands of digits": checkpoint("?", _renamed(f"layers.0.{_DIGITS}.conv.lk_conv.weight")),
    "upsamplers of thousands of digits": checkpoint("?", _renamed(f"upsample.{_DIGITS}.weight")),
    "key of 100,000 characters": checkpoint("?", _renamed("a" * 100_000)),
    "key of 100,000 characters in a layer": checkpoint("?", _renamed(f"layers.0.0.{'a' * 100_000}", ".pth")),
    "keys with terminal codes": checkpoint("?", _renamed(f"layers.0.0.{CONTROLS}", ".pth")),
    "safetensors with terminal codes": checkpoint(
        "?", _header('{"\\u001b[2J\\r":{"dtype":"F32","shape":[9],"data_offsets":[0,1]}}')
    ),
    "deep safetensors": checkpoint("?", _header("[" * 300_000)),
    "file name with terminal codes": checkpoint("?", fixed(File(f"model{CONTROLS[:-1]}.pth", b"no model"))),
    "scale of three axes": checkpoint("?", _observed(scale=torch.ones(8, 1, 1))),
    "no scales": checkpoint("?", _observed(scale=torch.ones(0))),
    "too many zero points": checkpoint("?", _observed(zero_point=torch.zeros(5, dtype=torch.int64))),
    "zero points of two axes": checkpoint("?", _observed(zero_point=torch.zeros(8, 1, dtype=torch.int64))),
    "zero points out of range": checkpoint("?", _observed(zero_point=torch.full((8,), 300))),
    "zero points that are no numbers": checkpoint("?", _observed(zero_point=torch.full((8,), float("nan")))),
    "complex scales": checkpoint("?", _observed(scale=torch.ones(8, dtype=torch.complex64))),
    "answers beyond float16": Breaker("?", _other("plain.pth", _loud), {"export fp16": "1"}),
}
