"""Checkpoints whose names and tensors ended in an error of somebody else's, or wrote on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import safetensors.torch
import torch
from torch import Tensor

from ..files import CONTROLS, File, Seeds
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


def _loud(known: dict[str, Tensor]) -> dict[str, Tensor]:
    """Let the network answer with more than float16 holds, though none of its weights is that large."""
    louder = ("conv_first.weight", "upsample.0.weight", "conv_last.weight")
    return {key: one * 1000 if key in louder else one for key, one in known.items()}


def _unobserved(used_to: str, make: Make) -> Breaker:
    """Return a breaker that whoever needs its observers refuses; a description needs none."""
    return Breaker(used_to, make, {"info": "", "load_model": "CheckpointError", "fuse": "1", "spandrel": ""})


BREAKERS: Mapping[str, Breaker] = {
    "layers of thousands of digits": checkpoint(
        "be named in full, over screens", _renamed(f"layers.{_DIGITS}.0.conv.fused_conv.weight", ".pth")
    ),
    "blocks of thousands of digits": checkpoint(
        "end in a ValueError of int", _renamed(f"layers.0.{_DIGITS}.conv.lk_conv.weight")
    ),
    "upsamplers of thousands of digits": checkpoint(
        "end in a ValueError of int", _renamed(f"upsample.{_DIGITS}.weight")
    ),
    "key of 100,000 characters": checkpoint("be named in full, over screens", _renamed("a" * 100_000)),
    "key of 100,000 characters in a layer": checkpoint(
        "be named in full, over screens", _renamed(f"layers.0.0.{'a' * 100_000}", ".pth")
    ),
    "keys with terminal codes": checkpoint("act on the terminal", _renamed(f"layers.0.0.{CONTROLS}", ".pth")),
    "file name with terminal codes": checkpoint(
        "act on the terminal", fixed(File(f"model{CONTROLS}.pth", b"no model"))
    ),
    "too many zero points": _unobserved(
        "end in a RuntimeError of torch", _observed(zero_point=torch.zeros(5, dtype=torch.int64))
    ),
    "zero points of two axes": Breaker(
        "end in a RuntimeError of torch",
        _observed(zero_point=torch.zeros(8, 1, dtype=torch.int64)),
        {"info": "", "load_model": "", "fuse": ""},
    ),
    "zero points out of range": _unobserved(
        "end in a RuntimeError of torch", _observed(zero_point=torch.full((8,), 300))
    ),
    "zero points that are no numbers": _unobserved(
        "end in a RuntimeError of torch", _observed(zero_point=torch.full((8,), float("nan")))
    ),
    "complex scales": Breaker(
        "be read with a warning of torch",
        _observed(scale=torch.ones(8, dtype=torch.complex64)),
        {"info": "", "load_model": ""},
    ),
    "answers beyond float16": Breaker(
        "end in a ValueError of math", _other("plain.pth", _loud), {"export fp16": "1"}
    ),
}
