"""The command of TensorRT's own tool that builds the same engine."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from ..precision import Precision
from ..shapes import Profile, shape_text


def command_line(*words: object) -> str:
    """Return one command for this system's shell, with quotes around words that need them."""
    texts = [str(word) for word in words]
    return subprocess.list2cmdline(texts) if sys.platform == "win32" else shlex.join(texts)


def trtexec_command(
    onnx: Path,
    engine: Path,
    profile: Profile,
    *,
    input_name: str,
    channels: int,
    precision: Precision,
    workspace: int | None = None,
    optimization_level: int | None = None,
    timing_cache: Path | None = None,
) -> str:
    """Return the published release's command for a file, with the shapes of `profile`.

    `trtexec` comes with NVIDIA's SDK, not with its wheels. The file's Q/DQ nodes hold all ranges, so no
    calibration cache is named. The published command leaves the types of a network to TensorRT, with FP32
    and INT8 to choose from, which a file with FP16 tensors does not fit: it is given `--stronglyTyped`, as
    `build_engine` builds every file. Shapes are left out if the profile has one only, because trtexec
    refuses them for a file without open axes. `workspace` (MiB), `optimization_level` (0..5) and
    `timing_cache` are those of `BuildOptions`. `newer_spelling` tells what changed since.
    """
    flags = [f"--onnx={onnx}", f"--saveEngine={engine}"]
    if precision.float_type == "fp16":
        flags.append("--stronglyTyped")
    elif precision.int8:
        flags.append("--int8")
    if profile.dynamic():
        shapes = zip(("min", "opt", "max"), profile.shapes(channels), strict=True)
        flags += [f"--{which}Shapes={input_name}:{shape_text(shape, 'x')}" for which, shape in shapes]
    given = {
        "memPoolSize": workspace and f"workspace:{workspace}",
        "builderOptimizationLevel": optimization_level,
        "timingCacheFile": timing_cache,
    }
    flags += [f"--{name}={value}" for name, value in given.items() if value is not None]
    return command_line("trtexec", *flags, "--buildOnly", "--verbose")


def newer_spelling(precision: Precision) -> str:
    """Say how newer TensorRT spells the same command.

    trtexec knows `--buildOnly` up to TensorRT 8 and `--int8` up to 10, after which every network is strongly
    typed (docs.nvidia.com/deeplearning/tensorrt, api/migration/tensorrt-10x-to-11x-trtexec).
    """
    renamed = "from TensorRT 10 on write --skipInference for --buildOnly"
    typed = precision.float_type == "fp16" or not precision.int8
    return renamed if typed else f"{renamed}, from 11 on leave --int8 out"
