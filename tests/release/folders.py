"""Small checkpoints to release, and what a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spandrel_aethernet.model.io import save_state_dict

from ..conftest import make_network


def save_small(folder: Path, *, fused: bool = False, suffix: str = ".pth", **hyperparameters: Any) -> Path:
    """Write a small network as `mine`, not fused unless asked."""
    network = make_network(**{"embed_dim": 8, "depths": (1,), "lk_kernel": 5, **hyperparameters})
    state_dict = (network.fuse() if fused else network).state_dict()
    save_state_dict(state_dict, folder / f"mine{suffix}")
    return folder / f"mine{suffix}"


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file by its name, of those in folders below by their path."""
    found = [path for path in folder.rglob("*") if not path.is_dir()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
