"""From a model file on disk to a state_dict or a loaded network, and back to disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from spandrel import MAIN_REGISTRY, ImageModelDescriptor, StateDict
from torch import Tensor

from ..errors import CheckpointError, OutputError
from ..files import replacing
from ..gate.documents import parse_json
from ..gate.files import read_file
from .arch import load_descriptor
from .base import AetherBase
from .checkpoint import Weights, detect
from .contents import opened
from .ranges import PREFIX as RANGES_PREFIX
from .torch_file import CPU, read_torch_file

SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")

_CONFIG = "arch_config"
_MOST_TENSOR_BYTES = 4
"""For each byte of a file: tensors may share memory there, and here each takes its own."""


@dataclass(frozen=True)
class CheckpointFile:
    """What a file holds, and the SHA-256 of its bytes."""

    contents: dict[str, Any]
    """Its tensors under their keys or below wrappers, and what lies beside them, for `read_checkpoint`."""
    sha256: str


def read_state_dict(path: str | Path) -> StateDict:
    """Read a `.pth`, `.pt`, `.ckpt` or `.safetensors` file and take off wrappers and prefixes.

    Raises `CheckpointError` for a file that cannot be read, that is no model file, or whose model is
    not AetherNet. The format is told from the bytes; nothing in a file is run, whatever it is.
    """
    return dict(opened(read_checkpoint_file(Path(path)).contents).state_dict)


def read_checkpoint_file(path: Path) -> CheckpointFile:
    """Read a file once; raises what `read_state_dict` does."""
    if path.suffix.lower() not in SUFFIXES:
        raise CheckpointError(f"{path} is not named like a checkpoint: expected {', '.join(SUFFIXES)}")
    content = read_file(path, CheckpointError)
    contents = parse_contents(path, content)
    if not detect(contents):
        raise CheckpointError(f"{path} is not an AetherNet checkpoint: it is {_what_else(contents)}")
    return CheckpointFile(contents, hashlib.sha256(content).hexdigest())


def parse_contents(path: Path, content: bytes, device: torch.device = CPU) -> dict[str, Any]:
    """Return what the bytes of a file of any architecture hold, tensors on `device`.

    Raises `CheckpointError`, its sentence starting with the path.
    """
    try:
        if _is_safetensors(path, content):
            found: Any = parse_safetensors(content, device)
        else:
            found = read_torch_file(content, device)
    except ValueError as error:
        raise CheckpointError(f"{path} {error}") from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in cast(dict[Any, Any], found)):
        raise CheckpointError(f"{path} holds no state_dict: expected a dictionary of tensors")
    contents = cast(dict[str, Any], found)
    tensors = [value for value in opened(contents).state_dict.values() if isinstance(value, Tensor)]
    announced = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if announced > _MOST_TENSOR_BYTES * len(content):
        raise CheckpointError(f"{path} is refused: its {len(content)} bytes announce {announced} of tensors")
    return contents


def _is_safetensors(path: Path, content: bytes) -> bool:
    """Tell the format, which starts with a header's length in 8 bytes, and the header's JSON."""
    if content.startswith((b"PK", b"\x80")):
        return content[8:9] == b"{"
    return path.suffix.lower() == ".safetensors" or content[8:9] == b"{"


def parse_safetensors(content: bytes, device: torch.device = CPU) -> dict[str, Any]:
    """Return the tensors by their keys, in order, below `state_dict` if an `arch_config` lies beside them.

    Raises ValueError, which says what is wrong as `is …`.
    """
    if not content:
        raise ValueError("is empty: download or copy it again")
    try:
        tensors = {key: tensor.to(device) for key, tensor in sorted(load(content).items())}
        header = parse_json(content[8 : 8 + int.from_bytes(content[:8], "little")])
        config = header.get("__metadata__", {}).get(_CONFIG)
        return {"state_dict": tensors, _CONFIG: parse_json(config)} if config else tensors
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"is damaged, truncated or no safetensors file ({error})") from error


def load_model(path: str | Path, *, weights: Weights = "grid") -> ImageModelDescriptor[AetherBase]:
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
        return load_descriptor(read_checkpoint_file(Path(path)).contents, weights=weights)


@contextmanager
def named(path: str | Path) -> Generator[None]:
    """Put the path in front of the sentence of any `CheckpointError` that does not start with it."""
    try:
        yield
    except CheckpointError as error:
        if str(error).startswith(str(path)):
            raise
        raise CheckpointError(f"{path}: {error.message.sentence}", error.message.hint) from error


def save_state_dict(
    state_dict: Mapping[str, Tensor],
    path: Path,
    *,
    config: Mapping[str, Any] | None = None,
    force: bool = False,
) -> None:
    """Write a state_dict as `.safetensors`, or as `.pth` without the trained ranges.

    A `.pth` so holds exactly the published keys and loads into every other AetherNet tool. `config` is the
    record of the network's arguments, which goes beside the tensors. Raises
    `OutputError` for another suffix, a target that cannot be written, and one that exists where `force`
    is False; nothing is left behind then.
    """
    suffix = path.suffix.lower()
    if suffix not in (".pth", ".safetensors"):
        raise OutputError(f"{path} is not named like a checkpoint: expected .pth or .safetensors")
    with replacing(path, force=force) as partial:
        if suffix == ".safetensors":
            partial.write_bytes(safetensors_bytes(state_dict, config or {}))
        else:
            published = {key: t for key, t in state_dict.items() if not key.startswith(RANGES_PREFIX)}
            buffer = BytesIO()  # torch reports a full disk as a C++ error of its own
            torch.save({"params": published, _CONFIG: dict(config)} if config else published, buffer)
            partial.write_bytes(buffer.getbuffer())


def safetensors_bytes(state_dict: Mapping[str, Tensor], config: Mapping[str, Any]) -> bytes:
    """Return the bytes of a file of tensors, with the record of the network's arguments if there is one."""
    metadata = {_CONFIG: json.dumps(config)} if config else None
    return save({key: tensor.contiguous() for key, tensor in state_dict.items()}, metadata)


def _what_else(contents: dict[str, Any]) -> str:
    state_dict = dict(opened(contents).state_dict)
    if not state_dict:
        return "an empty dictionary"
    for arch in MAIN_REGISTRY.architectures("detection"):
        if arch.detect(state_dict):
            return f"a {arch.architecture.name} checkpoint, which spandrel.ModelLoader loads"
    return "of no architecture that spandrel knows"
