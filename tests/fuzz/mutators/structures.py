"""Sound files of unsound state_dicts: tensors that are missing, misshapen, of other types, not finite."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, TypeAlias, cast

import safetensors.torch
import torch
from torch import Tensor

from ..files import File, Mutator, Seeds, odd_text
from ..pickling import saved

StateDict: TypeAlias = dict[str, Tensor]
_DTYPES = (
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int8,
    torch.uint8,
    torch.bool,
    torch.complex64,
    torch.float8_e4m3fn,
)
_SHAPES = (
    (),
    (0,),
    (1,),
    (2,),
    (3,),
    (1, 1),
    (2, 3),
    (0, 5),
    (8, 1, 1, 1),
    (1, 2, 3, 4, 5),
    (1,) * 60,
    (300,),
)
_VALUES = (float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e-40, 3e38, 1e20)
_OBSERVED = (".weight_fake_quant.", ".activation_post_process.", "trained_ranges.")


def load_seed(random: Random, seeds: Seeds) -> StateDict:
    """Return one of the seeds' state_dicts, of QAT in every other case."""
    name = random.choice(("tiny.pth", "tiny.pth", "plain.pth", "fused.pth"))
    return dict(loaded(seeds.folder / "checkpoints" / name))


@cache
def loaded(path: Path) -> StateDict:
    """Return the state_dict of a seed, whose tensors are everybody's: none may be changed."""
    return torch.load(path, weights_only=True)


def observers(random: Random, seeds: Seeds) -> File:
    """Scales, zero points, minima, maxima and switches of observers in other shapes, types and values."""
    state_dict = load_seed(random, seeds)
    keys = [key for key in state_dict if any(part in key for part in _OBSERVED)]
    if not keys:
        keys = [
            f"layers.0.0.conv.fused_conv{_OBSERVED[0]}{name}" for name in ("scale", "zero_point", "min_val")
        ]
        state_dict |= {key: torch.ones(8) for key in keys}
    for key in random.choices(sorted(keys), k=random.choice((1, 1, 2, 5))):
        state_dict[key] = random.choice(_CHANGES)(random, state_dict[key])
    if random.random() < 0.2:
        module = random.choice(sorted(key.removesuffix(".weight") for key in state_dict))
        kind = random.choice(("scale", "zero_point", "fake_quant_enabled", "activation_post_process.min_val"))
        state_dict[f"{module}.weight_fake_quant.{kind}"] = torch.ones(random.choice(_SHAPES))
    return written(random, state_dict)


def parts(random: Random, seeds: Seeds) -> File:
    """Tensors missing, doubled under other names, exchanged, misshapen, of other types or values."""
    state_dict = load_seed(random, seeds)
    for _ in range(random.choice((1, 1, 2, 5))):
        key, other = random.choice(sorted(state_dict)), random.choice(sorted(state_dict))
        kind = random.randrange(6)
        if kind == 0:
            del state_dict[key]
        elif kind == 1:
            state_dict[other] = state_dict[key]
        elif kind == 2:
            state_dict[odd_key(random, key)] = state_dict[key]
        else:
            state_dict[key] = random.choice(_CHANGES)(random, state_dict[key])
    return written(random, state_dict)


def odd_key(random: Random, key: str) -> str:
    """Return what a key may become."""
    text = odd_text(random).encode("utf-8", "replace").decode()
    numbers = ("1", "99", "1000000", "00", "-1", "٣", "9" * 5000)
    parts = key.split(".")
    changed = [random.choice(numbers) if part.isdigit() and random.random() < 0.6 else part for part in parts]
    return random.choice(
        (".".join(changed), f"{key}.{text}", f"{text}.{key}", f"module.{key}", f"stages.0.0.{key}")
    )


def wholes(random: Random, seeds: Seeds) -> File:
    """Whole networks of other sizes: all values at once, all types, all layers under another number."""
    state_dict = load_seed(random, seeds)
    kind = random.randrange(5)
    if kind == 0:
        value = random.choice(_VALUES)
        state_dict = {
            key: torch.full_like(one, value) if one.is_floating_point() else one
            for key, one in state_dict.items()
        }
    elif kind == 1:
        dtype = random.choice(_DTYPES)
        state_dict = {key: one.to(dtype) for key, one in state_dict.items()}
    elif kind == 2:
        factor = random.choice((1e3, 1e5, 1e10, 1e30))
        state_dict = {
            key: one * factor if one.is_floating_point() else one for key, one in state_dict.items()
        }
    elif kind == 3:
        copies = random.choice((2, 40, 100))
        layer = {key: one for key, one in state_dict.items() if key.startswith("layers.0.")}
        for number in range(copies):
            state_dict |= {
                f"layers.{number}.{key.removeprefix('layers.0.')}": one for key, one in layer.items()
            }
    else:
        state_dict = {key: one for key, one in state_dict.items() if random.random() < 0.5}
    return written(random, state_dict)


def wrappers(random: Random, seeds: Seeds) -> File:
    """A state_dict inside of others, beside others, under prefixes, and not one at all."""
    state_dict: Any = load_seed(random, seeds)
    for _ in range(random.choice((1, 2, 3, 50))):
        name = random.choice(("state_dict", "params", "params_ema", "net_g", "model", "module", "net", "x"))
        beside: tuple[dict[Any, Any], ...] = (
            {},
            {"epoch": 3},
            {1: 2},
            {name: None},
            {"params": {}},
            {"net_g": 5},
        )
        kind = random.randrange(4)
        if kind == 0:
            state_dict = {**random.choice(beside), name: state_dict}
        elif kind == 1:
            state_dict = {name: state_dict, **random.choice(beside)}
        elif kind == 2 and isinstance(state_dict, dict):
            state_dict = {f"{name}.{key}": value for key, value in cast(dict[Any, Any], state_dict).items()}
        else:
            state_dict = random.choice(
                ([state_dict], (state_dict,), {name: [state_dict]}, {name: {"a": state_dict}})
            )
    suffix = random.choice((".pth", ".pt", ".ckpt"))
    return File(f"wrapped{suffix}", saved(state_dict, legacy=random.random() < 0.3))


def written(random: Random, state_dict: StateDict) -> File:
    """Return a state_dict as a file in one of the formats."""
    suffix = random.choice((".pth", ".safetensors", ".pt", ".ckpt"))
    if suffix == ".safetensors":
        return File(
            "odd.safetensors",
            safetensors.torch.save({key: one.contiguous().clone() for key, one in state_dict.items()}),
        )
    return File(f"odd{suffix}", saved(state_dict, legacy=random.random() < 0.2))


def _reshape(random: Random, value: Tensor) -> Tensor:
    shape = random.choice(_SHAPES)
    return torch.ones(shape).to(value.dtype)


def _cast(random: Random, value: Tensor) -> Tensor:
    return value.to(random.choice(_DTYPES))


def _fill(random: Random, value: Tensor) -> Tensor:
    filled = value.float().clone()
    filled.flatten()[: random.choice((1, 10**6))] = random.choice(_VALUES)
    return filled


def _axes(random: Random, value: Tensor) -> Tensor:
    return random.choice(
        (
            value.unsqueeze(0),
            value[..., None],
            value.flatten(),
            value.transpose(0, -1) if value.ndim else value,
        )
    )


def _grow(random: Random, value: Tensor) -> Tensor:
    count = random.choice((2, 3))
    return (
        torch.cat([value.reshape(-1)] * count)
        if value.ndim < 2
        else torch.cat([value] * count, random.choice((0, 1)))
    )


def _expand(random: Random, value: Tensor) -> Tensor:
    if not value.numel():
        return value
    return value.reshape(-1)[:1].expand(random.choice((5, 1000)))


_CHANGES: tuple[Callable[[Random, Tensor], Tensor], ...] = (
    _reshape,
    _cast,
    _fill,
    _fill,
    _axes,
    _grow,
    _expand,
)

MUTATORS: tuple[tuple[float, Mutator], ...] = ((4, observers), (4, parts), (1, wholes), (1, wrappers))
