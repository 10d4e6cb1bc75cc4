"""Rebuild the reference cases: what the published network's files held, and what it computed.

A case stores keys, dtypes, shapes, observer tensors, one input and the published network's output. Its
parameters are drawn again from generators seeded by their keys, so that a case stays small.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.torch_version import TorchVersion

DATA = Path(__file__).parent.parent / "data"
SECOND_CASES = sorted(path.stem for path in DATA.glob("gen2_*.npz"))
CASES = sorted({path.stem for path in DATA.glob("*.npz")} - {*SECOND_CASES})


class Case(NamedTuple):
    """One reference case."""

    wrapper: str | None
    state_dict: dict[str, Tensor]
    input: Tensor
    expected: Tensor
    meta: dict[str, Any]

    @property
    def checkpoint(self) -> dict[str, Any]:
        """What the training framework saved."""
        beside: dict[str, Any] = _beside(self.meta.get("beside", {}))
        return {self.wrapper: self.state_dict, **beside} if self.wrapper else self.state_dict


def load_case(name: str) -> Case:
    """Rebuild one case by the name of its file."""
    with np.load(DATA / f"{name}.npz") as data:
        manifest = json.loads(str(data["manifest"]))
        state_dict: dict[str, Tensor] = {}
        for key, entry in manifest["entries"].items():
            array = data[f"t:{key}"] if entry.get("stored") else _parameter(entry)
            tensor = torch.from_numpy(np.ascontiguousarray(array))
            state_dict[key] = tensor.to(getattr(torch, entry["dtype"])).reshape(entry["shape"])
        meta = manifest["meta"]
        tensors = torch.from_numpy(data["input"]), torch.from_numpy(data["expected"])
        return Case(meta["wrapper"], state_dict, *tensors, meta)


def _beside(value: Any) -> Any:
    """Return what lies beside the tensors; releases name their PyTorch with a text of a class of its own."""
    if isinstance(value, dict):
        return {key: _beside(inner) for key, inner in cast(dict[str, Any], value).items()}
    prefix = "torch.torch_version.TorchVersion:"
    if isinstance(value, str) and value.startswith(prefix):
        return TorchVersion(value.removeprefix(prefix))
    return value


def _parameter(entry: dict[str, Any]) -> NDArray[np.float32]:
    shape = entry["shape"]
    base = entry.get("fused_from")
    if base is None:
        return _draw(entry["seed"], shape, entry["mean"], entry["std"])
    if len(shape) == 1:
        return _draw(f"{base}lk_bias", shape, *entry["bias"]) + _draw(f"{base}sk_bias", shape, *entry["bias"])
    side = entry["sk_kernel"]
    pad = (shape[-1] - side) // 2
    small = _draw(f"{base}sk_conv.weight", [*shape[:2], side, side], *entry["sk"])
    return _draw(f"{base}lk_conv.weight", shape, *entry["lk"]) + np.pad(
        small, [(0, 0), (0, 0), *[(pad, pad)] * 2]
    )


def _draw(key: str, shape: list[int], mean: float, std: float) -> NDArray[np.float32]:
    generator = np.random.RandomState(zlib.crc32(key.encode()))
    return (mean + std * generator.standard_normal(tuple(shape))).astype(np.float32)
