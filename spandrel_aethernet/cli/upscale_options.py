"""The arguments of `aethernet upscale`."""

from __future__ import annotations

import argparse

from ..data import DEMO_MODEL
from ..engines import DEFAULT_PRECISION
from ..images.files import FORMATS
from ..inference.open import BACKENDS
from ..inference.pipeline import Threads
from ..inference.pytorch import DTYPES
from ..inference.tiling import DEFAULT_OVERLAP
from ..precision import EXPORTED
from ..workers.cluster import LOCAL
from .options import Arguments, add_force, add_output, add_trust, add_weights, count, decimal, path


def add_all(parser: argparse.ArgumentParser) -> None:
    """Add the arguments, in groups."""
    parser.add_argument(
        "inputs", nargs="+", type=path, metavar="INPUT", help="images, videos, and folders of them"
    )
    add_output(parser, "OUT", "file for one input, else a folder")
    add_model(parser.add_argument_group("the model"))
    _add_work(parser.add_argument_group("how it is run"))
    _add_size(parser.add_argument_group("size (default: the network's scale)"))
    _add_files(parser.add_argument_group("files"))
    _add_video(
        parser.add_argument_group("videos (default: H.264, of more than 8 bits HEVC, in high quality)")
    )
    _add_build(parser.add_argument_group("engines that --backend tensorrt builds on first use"))


def add_model(group: Arguments) -> None:
    """Add which model and what runs it."""
    group.add_argument(
        "-m",
        "--model",
        type=path,
        default=DEMO_MODEL,
        help="checkpoint, ONNX file or TensorRT engine (default: the bundled 2x demo model)",
    )
    group.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="auto (default) runs checkpoints with PyTorch, .onnx files with ONNX Runtime, or with OpenVINO "
        "where that is installed and faster, and .engine, .trt and .plan files with the TensorRT that built "
        "them; tensorrt builds an engine of the first two",
    )
    group.add_argument(
        "--device",
        default="auto",
        help="of PyTorch: auto (default), cpu, cuda, cuda:1, mps; of TensorRT: auto (default), cuda, cuda:1; "
        "of OpenVINO: auto (default), cpu, gpu, gpu.1; "
        "several GPUs, one process each: all, or cuda:0,cuda:1",
    )
    group.add_argument(
        "--provider",
        default="auto",
        metavar="NAME",
        help="of ONNX Runtime: auto (default) is CUDA where it works, else CPU; cpu, cuda, dml, coreml "
        "or a provider's exact name",
    )
    group.add_argument(
        "--dtype",
        choices=DTYPES,
        default="auto",
        help="of PyTorch: auto (default) is float16 on CUDA, float32 elsewhere, for 8-bit images bfloat16 on "
        "a CPU that computes in it; float32 keeps all of 16-bit images; "
        "of OpenVINO: auto (default) is the same, and float16 for 8-bit images on a GPU",
    )
    group.add_argument(
        "--compile",
        action="store_true",
        help="compile a checkpoint's network for full tiles first: half a minute, and on a CPU a C++ "
        "compiler, for what may be no faster; smaller images run as without it",
    )
    add_weights(group)
    add_trust(group)


def _add_work(group: Arguments) -> None:
    group.add_argument(
        "--tile",
        type=_tile,
        default=None,
        metavar="auto|N",
        help="side of a tile in input pixels, at most where sizes are open: images are shared out evenly "
        "(default: auto, of an engine the size it is optimized for)",
    )
    group.add_argument(
        "--overlap",
        type=_count,
        metavar="N",
        help="context around a tile in input pixels, exact from the receptive-field radius that info prints "
        f"(default: {DEFAULT_OVERLAP}, or a quarter of a small tile)",
    )
    group.add_argument(
        "-j",
        "--jobs",
        type=_threads,
        metavar="LOAD:SAVE",
        help="threads that read and threads that write while the network runs (default here: "
        f"{Threads.default()})",
    )
    group.add_argument(
        "--workers",
        type=count,
        metavar="N",
        help="processes that share the CPU (default: this one alone), or with --ray, workers of the cluster",
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const=LOCAL,
        metavar="ADDRESS",
        help="work on a Ray cluster, HOST:PORT or ray://HOST:PORT; one of this machine is started without an "
        "address",
    )


def _add_size(group: Arguments) -> None:
    group.add_argument("--width", type=count, metavar="N", help="of the result in pixels; the height follows")
    group.add_argument(
        "--height", type=count, metavar="N", help="of the result; with a width, both are exact"
    )
    group.add_argument("--scale", type=decimal, metavar="X", help="times the size of the input, such as 1.5")


def _add_files(group: Arguments) -> None:
    group.add_argument("--format", choices=tuple(FORMATS), help="of the files in a folder (default: png)")
    add_force(group)
    group.add_argument(
        "--if-newer", action="store_true", help="replace files that are older than what they are made of"
    )
    group.add_argument(
        "--watch",
        action="store_true",
        help="go on with what appears in the folders, once its size has settled, until Ctrl-C",
    )


def _add_video(group: Arguments) -> None:
    group.add_argument(
        "--codec",
        metavar="NAME",
        help="FFmpeg's name of an encoder: libx264, libx265, libsvtav1, hevc_nvenc …",
    )
    group.add_argument(
        "--crf", type=decimal, metavar="X", help="quality in the encoder's own scale, smaller is better"
    )
    group.add_argument("--preset", metavar="NAME", help="the encoder's, such as slow")
    group.add_argument("--pix-fmt", metavar="NAME", help="such as yuv420p10le (default: as the source)")
    group.add_argument(
        "--encoder-option",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="further option of the encoder by FFmpeg's name; may be given again",
    )


def _add_build(group: Arguments) -> None:
    group.add_argument(
        "--precision", choices=[*map(str, EXPORTED)], help=f"of checkpoints (default: {DEFAULT_PRECISION})"
    )
    for which in ("min", "opt", "max"):
        group.add_argument(f"--{which}-shapes", metavar="SHAPE", help="as for aethernet engine")


def _tile(text: str) -> int | None:
    return None if text == "auto" else _count(text)


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected a number of pixels, found {text!r}")
    return number


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {text!r}")
    return name, value


def _threads(text: str) -> Threads:
    try:
        return Threads.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
