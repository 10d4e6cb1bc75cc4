"""What an installed package must do with the extras it was installed with: python tests/smoke.py [EXTRA...].

Run from a folder outside the clone, so that the installed package is imported. Uses no pytest.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

import spandrel_aethernet
from spandrel_aethernet.data import DEMO_MODEL, original

AETHERNET = Path(sysconfig.get_path("scripts")) / "aethernet"


def aethernet(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    command = [str(AETHERNET), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def must(*arguments: object) -> None:
    """Run the installed command, which has to succeed."""
    result = aethernet(*arguments)
    if result.returncode:
        sys.exit(f"aethernet {arguments[0]} ended with {result.returncode}: {result.stderr}")


def must_need(extra: str, *arguments: object) -> None:
    """Run a command that has to say last which extra it needs."""
    result = aethernet(*arguments)
    line = result.stderr.strip().rpartition("\n")[2]
    if result.returncode != 1 or f"spandrel-aethernet[{extra}]" not in line:
        sys.exit(f"aethernet {arguments[0]} without the extra {extra}: {result.returncode}, {line}")


def check(extras: set[str], folder: Path) -> None:
    """Upscale; with each extra do what it is for, without it be told so."""
    tiny = folder / "tiny.safetensors"
    network = spandrel_aethernet.AetherNet(embed_dim=12, depths=(1, 1), lk_kernel=7, fused=True)
    torch.save(network.state_dict(), tiny.with_suffix(".pth"))
    must("fuse", tiny.with_suffix(".pth"), "-o", tiny)
    must("info", DEMO_MODEL, "--json")
    must("upscale", original("rocket"), "-o", folder / "rocket.png", "-m", tiny)
    image = np.zeros((16, 24, 3), np.uint8)
    if spandrel_aethernet.upscale(image, DEMO_MODEL).shape != (32, 48, 3):
        sys.exit("the demo model does not double an image")
    export = ("export", tiny, "-o", folder / "tiny.onnx", "--precision", "fp32-int8")
    compare = ("compare", tiny, "--images", original("rocket").parent, "--repeats", "1")
    build = ("engine", tiny, "-o", folder / "tiny.engine", "--precision", "fp32")
    if "onnx" in extras:
        must(*export)
        must("lint", folder / "tiny.onnx")
        must("upscale", original("rocket"), "-o", folder / "onnx.png", "-m", folder / "tiny.onnx")
    else:
        must_need("onnx", *export)
    openvino = ("upscale", original("rocket"), "-o", folder / "openvino.png", "-m", folder / "tiny.onnx")
    if {"onnx", "openvino"} <= extras:
        must(*openvino, "--backend", "openvino")
    elif "onnx" in extras:
        must_need("openvino", *openvino, "--backend", "openvino")
    if "compare" in extras:
        must(*compare)
    else:
        must_need("compare", *compare)
    benchmark = ("benchmark", tiny, "--sizes", "16", "--repeats", "1", "--plot", folder / "bars.png")
    if "plot" in extras:
        must(*benchmark)
    else:
        must_need("plot", *benchmark)
    upscale = ("upscale", folder / "rocket.png", "-m", tiny, "--force")
    ray, video = (*upscale, "-o", folder / "ray.png", "--ray"), ("upscale", folder / "clip.mkv", "-m", tiny)
    if "cluster" in extras:
        must(*ray)
    else:
        must_need("cluster", *ray)
    if "video" in extras:
        make_clip(folder / "clip.mkv")
        must(*video, "-o", folder / "clip_2x.mkv")
    else:
        (folder / "clip.mkv").touch()
        must_need("video", *video, "-o", folder / "clip_2x.mkv")
    if "watch" not in extras:
        watched = folder / "watched"  # without the clip, which needs an extra of its own
        watched.mkdir()
        must_need("watch", "upscale", watched, "-o", folder / "larger", "-m", tiny, "--watch")
    if {"onnx", "rtx"} <= extras:
        must(*build)
    elif "onnx" in extras:
        must_need("rtx", *build)


def make_clip(path: Path) -> None:
    """Write a video of three frames."""
    av: Any = import_module("av")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        frames = [av.VideoFrame.from_ndarray(np.full((24, 32, 3), n * 80, np.uint8)) for n in range(3)]
        file.mux([packet for frame in [*frames, None] for packet in stream.encode(frame)])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        check(set(sys.argv[1:]), Path(temporary))
