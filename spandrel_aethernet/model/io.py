"""From a model file on disk to a state_dict or a loaded network, and back to disk."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from spandrel import MAIN_REGISTRY, ImageModelDescriptor, StateDict, canonicalize_state_dict
from torch import Tensor

from ..errors import CheckpointError, OutputError
from ..files import replacing
from ..gate.files import read_file
from .arch import AetherNetArch
from .checkpoint import Weights, detect
from .first.network import AetherNet
from .ranges import PREFIX as RANGES_PREFIX
from .torch_file import CPU, read_torch_file

SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")

_MOST_TENSOR_BYTES = 4
"""For each byte of a file: tensors may share memory there, and here each takes its own."""


@dataclass(frozen=True)
class CheckpointFile:
    """A file's tensors by their keys, wrappers and prefixes taken off, and the SHA-256 of its bytes."""

    state_dict: StateDict
    sha256: str


def read_state_dict(path: str | Path) -> StateDict:
    """Read a `.pth`, `.pt`, `.ckpt` or `.safetensors` file and take off wrappers and prefixes.

    Raises `CheckpointError` for a file that cannot be read, that is no model file, or whose model is
    not AetherNet. The format is told from the bytes; nothing in a file is run, whatever it is.
    """
    return read_checkpoint_file(Path(path)).state_dict


def read_checkpoint_file(path: Path) -> CheckpointFile:
    """Read a file once, as `read_state_dict` does."""
    if path.suffix.lower() not in SUFFIXES:
        raise CheckpointError(f"{path} is not named like a checkpoint: expected {', '.join(SUFFIXES)}")
    content = read_file(path, CheckpointError)
    state_dict = parse_state_dict(path, content)
    if not detect(state_dict):
        raise CheckpointError(f"{path} is not an AetherNet checkpoint: it is {_what_else(state_dict)}")
    return CheckpointFile(state_dict, hashlib.sha256(content).hexdigest())


def parse_state_dict(path: Path, content: bytes, device: torch.device = CPU) -> StateDict:
    """Return the tensors in the bytes of a file of any architecture on `device`, as spandrel's loader does.

    Raises `CheckpointError`, its sentence starting with the path.
    """
    try:
        if _is_safetensors(path, content):
            found = {key: tensor.to(device) for key, tensor in _parse_safetensors(content).items()}
        else:
            found = read_torch_file(content, device)
    except ValueError as error:
        raise CheckpointError(f"{path} {error}") from error
    try:
        state_dict: StateDict = canonicalize_state_dict(found)
        tensors = [value for value in state_dict.values() if isinstance(value, Tensor)]
    except (AttributeError, TypeError) as error:
        raise CheckpointError(f"{path} holds no state_dict: expected a dictionary of tensors") from error
    announced = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if announced > _MOST_TENSOR_BYTES * len(content):
        raise CheckpointError(f"{path} is refused: its {len(content)} bytes announce {announced} of tensors")
    return state_dict


def _is_safetensors(path: Path, content: bytes) -> bool:
    """Tell the format, which starts with a header's length in 8 bytes, and the header's JSON."""
    if content.startswith((b"PK", b"\x80")):
        return content[8:9] == b"{"
    return path.suffix.lower() == ".safetensors" or content[8:9] == b"{"


def _parse_safetensors(content: bytes) -> dict[str, Tensor]:
    if not content:
        raise ValueError("is empty: download or copy it again")
    try:
        return dict(sorted(load(content).items()))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"is damaged, truncated or no safetensors file ({error})") from error


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


def _what_else(state_dict: StateDict) -> str:
    if not state_dict:
        return "an empty dictionary"
    for arch in MAIN_REGISTRY.architectures("detection"):
        if arch.detect(state_dict):
            return f"a {arch.architecture.name} checkpoint, which spandrel.ModelLoader loads"
    return "of no architecture that spandrel knows"
