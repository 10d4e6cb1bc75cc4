"""What tells models apart whose output may differ, so that work that was broken off goes on with the same."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from ..files import sha256
from .backend import Backend
from .upscale import Model


def identity_of(model: Model, backend: Backend) -> str:
    """Return a text that differs wherever weights do, or what runs them in which precision, and where.

    `backend` is what runs the model. Raises OSError for a file that cannot be read.
    """
    found: Any = backend
    how = f"{type(backend).__name__} {getattr(found, 'dtype', '')} {getattr(found, 'device', '')}"
    path = model if isinstance(model, str | Path) else getattr(found, "path", None)
    if path is not None:
        return f"{sha256(Path(path))} {how}"
    network: Any = getattr(model, "model", model)
    digest = hashlib.sha256()
    if isinstance(network, torch.nn.Module):
        for name, tensor in cast(dict[str, Tensor], network.state_dict()).items():
            digest.update(f"{name} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return f"{digest.hexdigest()} {how}"
