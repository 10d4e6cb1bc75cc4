"""`aethernet upscale`: image files and folders, larger."""

from __future__ import annotations

import argparse

from ..data import DEMO_MODEL
from ..errors import AetherError
from ..images.files import FORMATS
from ..inference.backend import Backend
from ..inference.jobs import Job, plan_jobs
from ..inference.open import BACKENDS, check_can_run, open_model
from ..inference.tiling import DEFAULT_OVERLAP, check_tiles
from ..inference.upscale import upscale_file
from .console import ERR
from .options import add_force, add_output, add_trust, add_weights, option_words, path
from .progress import bars

EXAMPLES = (
    "aethernet upscale photo.jpg -o photo_2x.png",
    "aethernet upscale photos/ -o larger/ -m aether_small_2x.pth --format webp",
    "aethernet upscale scan.tif -o scan_2x.tif --tile 256 --overlap 88 --device cpu",
    "aethernet upscale photos/ -o larger/ -m aether_small_2x_fp32.onnx --provider cuda",
    "aethernet upscale photos/ -o larger/ -m aether_small_2x_fp16_int8.engine",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("inputs", nargs="+", type=path, metavar="INPUT", help="image files and folders")
    add_output(parser, "OUT", "image file for one input, else a folder")
    parser.add_argument(
        "-m",
        "--model",
        type=path,
        default=DEMO_MODEL,
        help="checkpoint, ONNX file or TensorRT engine (default: the bundled 2x demo model)",
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="auto (default) runs checkpoints with PyTorch, .onnx files with ONNX Runtime, and .engine, .trt "
        "and .plan files with the TensorRT that built them",
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="of PyTorch: auto (default), cpu, cuda, cuda:1, mps; of TensorRT: auto (default), cuda, cuda:1",
    )
    parser.add_argument(
        "--provider",
        default="auto",
        metavar="NAME",
        help="of ONNX Runtime: auto (default) is CUDA where it works, else CPU; cpu, cuda, dml, coreml "
        "or a provider's exact name",
    )
    parser.add_argument(
        "--dtype",
        choices=("auto", "float32", "float16", "bfloat16"),
        default="auto",
        help="of PyTorch: auto (default) is float16 on CUDA, float32 elsewhere; float32 keeps all of 16-bit "
        "images",
    )
    parser.add_argument(
        "--tile",
        type=_tile,
        default=None,
        metavar="auto|N",
        help="side of a tile in input pixels (default: auto, of an engine the size it is optimized for)",
    )
    parser.add_argument(
        "--overlap",
        type=_count,
        metavar="N",
        help="context around a tile in input pixels, exact from the receptive-field radius that info prints "
        f"(default: {DEFAULT_OVERLAP}, or a quarter of a small tile)",
    )
    parser.add_argument("--format", choices=tuple(FORMATS), help="of the files in a folder (default: png)")
    add_weights(parser)
    add_trust(parser)
    add_force(parser)


def run(arguments: argparse.Namespace) -> int:
    """Upscale every file; one that fails does not stop the rest."""
    if arguments.tile is not None and arguments.overlap is not None:
        check_tiles(arguments.tile, arguments.overlap)
    check_can_run([arguments.model], arguments.backend)
    jobs = plan_jobs(arguments.inputs, arguments.output, format_name=arguments.format)
    model = open_model(
        arguments.model,
        backend=arguments.backend,
        device=arguments.device,
        dtype=arguments.dtype,
        weights=arguments.weights,
        provider=arguments.provider,
        trust=arguments.trust,
    )
    ERR.print(model.description)
    failures = _run_jobs(jobs, model.backend, arguments)
    for failure in failures:
        ERR.print(f"failed: {failure}")
    ERR.print(f"{len(jobs) - len(failures)} of {len(jobs)} written")
    return 1 if failures else 0


def _run_jobs(jobs: list[Job], backend: Backend, arguments: argparse.Namespace) -> list[str]:
    failures: list[str] = []
    with bars() as progress:
        progress.begin("files", len(jobs))
        for job in jobs:
            try:
                upscale_file(
                    job,
                    backend,
                    tile=arguments.tile,
                    overlap=arguments.overlap,
                    force=arguments.force,
                    progress=progress.inside("files"),
                )
                progress.note(f"{job.source} -> {job.target}")
            except AetherError as error:
                failures.append(error.message.text(option_words))
            progress.advance("files")
    return failures


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
