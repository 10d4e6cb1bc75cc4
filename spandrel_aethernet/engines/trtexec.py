"""The command of TensorRT's own tool that builds the same engine."""

from __future__ import annotations

from pathlib import Path

from ..command_line import command_line
from ..shapes import Profile
from .profile import as_lists, times


def trtexec_command(
    onnx: Path,
    engine: Path,
    profile: Profile,
    *,
    input_name: str,
    channels: int,
    int8: bool,
    fp16: bool = False,
    workspace: int | None = None,
    level: int | None = None,
    timing_cache: Path | None = None,
) -> str:
    """Return the published release's command for a file, with the shapes of `profile`.

    `trtexec` comes with NVIDIA's SDK, not with its wheels. The file's Q/DQ nodes hold all ranges, so no
    calibration cache is named. `int8` is for files with Q/DQ nodes. The published command leaves the types
    of a network to TensorRT, with FP32 and INT8 to choose from, which a file with FP16 tensors (`fp16`)
    does not fit: it is given `--stronglyTyped`, as `build_engine` builds every file. Shapes are left out if
    the profile has one only, because trtexec refuses them for a file without open axes. `workspace` (MiB),
    `level` (0..5) and `timing_cache` are those of `BuildOptions`. `newer_spelling` tells what changed since.
    """
    flags = [f"--onnx={onnx}", f"--saveEngine={engine}"]
    if fp16:
        flags.append("--stronglyTyped")
    elif int8:
        flags.append("--int8")
    if profile.axes():
        shapes = zip(("min", "opt", "max"), as_lists(profile, channels), strict=True)
        flags += [f"--{which}Shapes={input_name}:{times(shape)}" for which, shape in shapes]
    given = {
        "memPoolSize": workspace and f"workspace:{workspace}",
        "builderOptimizationLevel": level,
        "timingCacheFile": timing_cache,
    }
    flags += [f"--{name}={value}" for name, value in given.items() if value is not None]
    return command_line("trtexec", *flags, "--buildOnly", "--verbose")


def newer_spelling(*, int8: bool, fp16: bool = False) -> str:
    """Say how newer TensorRT spells the same command.

    trtexec knows `--buildOnly` up to TensorRT 8 and `--int8` up to 10, after which every network is strongly
    typed (docs.nvidia.com/deeplearning/tensorrt, api/migration/tensorrt-10x-to-11x-trtexec).
    """
    renamed = "from TensorRT 10 on write --skipInference for --buildOnly"
    return f"{renamed}, from 11 on leave --int8 out" if int8 and not fp16 else renamed
