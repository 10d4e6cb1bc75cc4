"""The commands that write, on a network of one block, and how what they wrote is told to be whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch

from spandrel_aethernet.engines.header import read_header
from spandrel_aethernet.engines.sidecar import read_sidecar, sidecar_path
from spandrel_aethernet.errors import AetherError
from spandrel_aethernet.images.files import Picture, read_picture, write_picture

from ..conftest import make_network
from ..engines.networks import upscaler
from ..images.pictures import photograph

Files = Mapping[str, bytes]
"""What lies in a folder: names with their folders, and contents."""

PICTURES, HEIGHT, WIDTH = 3, 16, 24
_TORCH = ("torch", "spandrel", "safetensors.torch", "rich.progress")
_EXPORT = (
    *_TORCH,
    *("pyvips", "onnx", "onnxscript.function_libs.torch_lib.ops"),
    *("torch.export._trace", "torch.onnx._internal.exporter._core"),
)


@dataclass(frozen=True)
class Command:
    """A command that writes under one name, and what belongs to that name."""

    name: str
    target: str
    """A file or a folder."""
    arguments: Callable[[Path, Path], Sequence[object]]
    """From the folder of sources and the target."""
    whole: Callable[[Path], bool]
    """Tells whether a target, or a file of it with `by_file`, was written to its end."""
    modules: Sequence[str]
    """What to load before."""
    by_file: bool = False
    """Whether files of a folder take their names one by one."""


def is_checkpoint(target: Path) -> bool:
    """Tell whether a file is a checkpoint that can be loaded."""
    try:
        return bool(torch.load(target, weights_only=True))
    except Exception:  # PyTorch raises RuntimeError, EOFError and more
        return False


def is_model(target: Path) -> bool:
    """Tell whether a file is a sound ONNX model."""
    try:
        onnx.checker.check_model(onnx.load(target), full_check=True)
    except Exception:  # of protobuf and of ONNX
        return False
    return True


def is_engine(target: Path) -> bool:
    """Tell whether an engine is as long as it says, and is the one that is described, if any is."""
    try:
        return read_header(target) is not None and (
            read_sidecar(target) is not None or not sidecar_path(target).exists()
        )
    except AetherError:
        return False


def is_release(target: Path) -> bool:
    """Tell whether a folder holds what its checksums and its report list, and nothing else."""
    try:
        sums = dict(line.split("  ")[::-1] for line in (target / "SHA256SUMS").read_text().splitlines())
        report = json.loads((target / "report.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in target.iterdir()}
    del found["SHA256SUMS"]
    return found == sums and {file["name"] for file in report["files"]} <= {*found}


def is_picture(target: Path) -> bool:
    """Tell whether a file is a picture twice as large as the sources."""
    try:
        return read_picture(target).pixels.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    except AetherError:
        return False


COMMANDS = (
    Command(
        "fuse",
        "fused.pth",
        lambda sources, target: ["fuse", sources / "small.pth", "-o", target],
        is_checkpoint,
        _TORCH,
    ),
    Command(
        "export",
        "small.onnx",
        lambda sources, target: ["export", sources / "small.pth", "-o", target, "--static", "16x16"],
        is_model,
        _EXPORT,
    ),
    Command(
        "release",
        "released",
        lambda sources, target: [
            *("release", sources / "small.pth", "-o", target),
            *("--images", sources / "photographs", "--calibrate", sources / "photographs", "--no-engine"),
        ],
        is_release,
        (*_EXPORT, "skimage.metrics"),
    ),
    Command(
        "engine (checkpoint)",
        "from_checkpoint.engine",
        lambda sources, target: [
            *("engine", sources / "small.pth", "-o", target, "--target", "8.6", "--precision", "fp32"),
        ],
        is_engine,
        (*_EXPORT, "tensorrt_rtx"),
    ),
    Command(
        "engine (ONNX)",
        "from_onnx.engine",
        lambda sources, target: ["engine", sources / "small.onnx", "-o", target, "--target", "8.6"],
        is_engine,
        ("onnx", "numpy", "rich.progress", "tensorrt_rtx"),
    ),
    Command(
        "upscale (folder)",
        "larger",
        lambda sources, target: [
            *("upscale", sources / "photographs", "-o", target, "-m", sources / "small.pth"),
        ],
        is_picture,
        (*_TORCH, "pyvips"),
        by_file=True,
    ),
)
"""A command that writes something else takes an entry here, and a function that tells whether it is whole."""


def write_sources(folder: Path) -> None:
    """Write what the commands read into a new folder."""
    (folder / "photographs").mkdir(parents=True)
    torch.save(make_network(embed_dim=4, depths=(1,), lk_kernel=5).state_dict(), folder / "small.pth")
    upscaler(folder / "small.onnx")
    for number in range(PICTURES):
        write_picture(Picture(photograph(HEIGHT, WIDTH)), folder / "photographs" / f"{number}.png")


def files_of(target: Path) -> Files:
    """Return all that belongs to a name: a file with its description, or a folder's files."""
    if target.is_dir():
        return {
            str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()
        }
    return {path.name: path.read_bytes() for path in (target, sidecar_path(target)) if path.exists()}


def write_old(command: Command, target: Path, made: Files) -> Files:
    """Write what `target` is to hold before a run: what it `made`, changed so that it can be told apart."""
    old = {name: content + b" " for name, content in made.items()}
    if command.name == "release":
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in old.items()}
        del sums["SHA256SUMS"]
        lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
        old["SHA256SUMS"] = "".join(lines).encode()
    place = target if target.suffix == "" else target.parent
    place.mkdir(exist_ok=True)
    for name, content in old.items():
        (place / name).write_bytes(content)
    return old
