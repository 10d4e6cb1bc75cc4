"""From a model file on disk to a state_dict or a loaded network, and back to disk."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelLoader, StateDict
from torch import Tensor

from ..errors import CheckpointError, OutputError
from ..files import replacing
from .arch import AetherNetArch
from .checkpoint import Weights, detect
from .network import AetherNet
from .ranges import PREFIX as RANGES_PREFIX

SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")


def read_state_dict(path: str | Path) -> StateDict:
    """Read a `.pth`, `.pt`, `.ckpt` or `.safetensors` file and take off wrappers and prefixes.

    Raises `CheckpointError` for a file that cannot be read, that is no model file, or whose model is
    not AetherNet. Pickled code is never run: spandrel's unpickler refuses it.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise CheckpointError(f"{path} is not named like a checkpoint: expected {', '.join(SUFFIXES)}")
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*torch.jit.load")  # spandrel tries it for any .pt
            state_dict = ModelLoader().load_state_dict_from_file(path)
    except (pickle.UnpicklingError, RuntimeError, EOFError, SafetensorError) as error:
        raise CheckpointError(f"{path} {_why_unreadable(path, start, str(error))}") from error
    except (AttributeError, TypeError, KeyError, ValueError, IndexError) as error:
        raise CheckpointError(f"{path} holds no state_dict: expected a dictionary of tensors") from error
    if not detect(state_dict):
        raise CheckpointError(f"{path} is not an AetherNet checkpoint: it is {_what_else(state_dict)}")
    return state_dict


def load_model(path: str | Path, *, weights: Weights = "grid") -> ImageModelDescriptor[AetherNet]:
    """Load any AetherNet file as spandrel does after `install()`, but without touching its registry.

    The descriptor's `model` is the fused network, float32 on the CPU, in evaluation mode: it takes
    N x C x H x W with values 0..1 and returns N x C x H·scale x W·scale. `weights` as in
    `read_checkpoint`.

    Raises `ArgumentError` for other weights, and `CheckpointError`, its sentence starting with the
    path, for a file that cannot be read or is not a whole AetherNet checkpoint.

        model = spandrel_aethernet.load_model("aether_small_2x.pth")
        upscaled = model(torch.rand(1, 3, 64, 64))
    """
    with named(path):
        return AetherNetArch(weights=weights).load(read_state_dict(path))


@contextmanager
def named(path: str | Path) -> Generator[None]:
    """Put the path in front of the sentence of any `CheckpointError` that does not start with it."""
    try:
        yield
    except CheckpointError as error:
        if str(error).startswith(str(path)):
            raise
        raise CheckpointError(f"{path}: {error.message.sentence}", error.message.hint) from error


def save_state_dict(state_dict: Mapping[str, Tensor], path: Path, *, force: bool = False) -> None:
    """Write a state_dict as `.safetensors`, or as `.pth` without the trained ranges.

    A `.pth` so holds exactly the published keys and loads into every other AetherNet tool. Raises
    `OutputError` for another suffix, a target that cannot be written, and one that exists where `force`
    is False; nothing is left behind then.
    """
    suffix = path.suffix.lower()
    if suffix not in (".pth", ".safetensors"):
        raise OutputError(f"{path} is not named like a checkpoint: expected .pth or .safetensors")
    with replacing(path, force=force) as partial:
        if suffix == ".safetensors":
            partial.write_bytes(save({key: tensor.contiguous() for key, tensor in state_dict.items()}))
        else:
            published = {key: t for key, t in state_dict.items() if not key.startswith(RANGES_PREFIX)}
            buffer = BytesIO()  # torch reports a full disk as a C++ error of its own
            torch.save(published, buffer)
            partial.write_bytes(buffer.getbuffer())


def _why_unreadable(path: Path, start: bytes, message: str) -> str:
    if not start:
        return "is empty: download or copy it again"
    if "is forbidden" in message:
        return (
            f"is refused, because it holds pickled code ({message}): get a checkpoint from a source you trust"
        )
    if path.suffix.lower() == ".safetensors":
        return f"is damaged, truncated or no safetensors file ({message})"
    if start.startswith(b"PK"):
        if zipfile.is_zipfile(path):
            return "is refused: it holds something other than plain tensors, or is damaged"
        return "is truncated: download or copy it again"
    if start.startswith(b"\x80"):
        return "is damaged, truncated or no PyTorch checkpoint"
    return "is not a PyTorch file"


def _what_else(state_dict: StateDict) -> str:
    if not state_dict:
        return "an empty dictionary"
    for arch in MAIN_REGISTRY.architectures("detection"):
        if arch.detect(state_dict):
            return f"a {arch.architecture.name} checkpoint, which spandrel.ModelLoader loads"
    return "of no architecture that spandrel knows"
