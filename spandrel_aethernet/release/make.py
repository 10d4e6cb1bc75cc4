"""From one checkpoint, or a network in memory, to the whole published folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from itertools import starmap
from pathlib import Path

from ..data import PHOTOGRAPHS, half_size, original
from ..engines import DEFAULT_PRECISION
from ..errors import ArgumentError
from ..evaluation.compare import compare_models, worst_picture
from ..evaluation.pairs import PairFiles, find_pairs
from ..evaluation.results import Comparison
from ..files import replacing_folder
from ..images.files import Picture, write_picture
from ..inference.open import open_model
from ..model.checkpoint import Weights
from ..model.fuse_file import fuse
from ..model.io import read_state_dict, save_state_dict
from ..model.source import NetworkInput, NetworkSource, as_source
from ..onnx_export.calibration import calibration_images
from ..progress import SILENT, Progress
from .card import PICTURE, model_card
from .checksums import holds_nothing_else, write_checksums
from .engine import build_release_engine, why_no_engine
from .exports import onnx_path, write_exports
from .report import ReleaseReport, describe_release, engine_file, onnx_file, plain_file
from .triton import SERVED, write_repository

CARD, REPORT = "README.md", "report.json"


def make_release(
    source: NetworkInput,
    target: Path,
    *,
    name: str | None = None,
    images: Path | Sequence[PairFiles] | None = None,
    calibration: Path | None = None,
    weights: Weights = "grid",
    repeats: int = 1,
    engine: bool | None = None,
    triton: bool = False,
    force: bool = False,
    progress: Progress = SILENT,
) -> ReleaseReport:
    """Make the folder `target` from `source`, a checkpoint in any layout or a network in memory.

        report = spandrel_aethernet.make_release("aether_small_2x.pth", Path("aether_small_2x"))
        print([file.name for file in report.files])

    It holds the fused checkpoint as `.pth` and `.safetensors` (and the not fused one, if `source` is the
    path of one), four ONNX files, a TensorRT engine with its description if `engine` is True (or
    None, and TensorRT for RTX is installed), a model repository for NVIDIA Triton with the FP16 file if
    `triton` is True, `README.md` with what was measured on `images` (a folder of
    originals; default: the bundled photographs), `report.json` and `SHA256SUMS`. Files are called
    `name` (default: the variant's, or the source's for a custom one), scale and form. `calibration` is a
    folder of images for the ranges that QAT left open. The folder takes its name when all is done.

    Raises `ArgumentError` for a wrong value, `OutputError` for a folder that cannot be made or is kept,
    `CheckpointError`, `ImageError`, `OnnxError`, `EngineError` for what fails on the way, and
    `MissingPackageError` without ONNX, ONNX Runtime or scikit-image; then there is no folder.
    """
    if repeats < 1:
        raise ArgumentError(f"repeats is {repeats}: expected 1 or more")
    if name is not None:
        _check_name(name)
    no_engine = why_no_engine(engine)
    pairs = _pairs(images)
    found = as_source(source, weights=weights)
    hyperparameters = found.checkpoint.info.hyperparameters
    stem = f"{name or _default_name(found)}_{hyperparameters['scale']}x"
    calibration_set = calibration_images(calibration, hyperparameters["in_chans"])
    with replacing_folder(Path(target), force=force, ours=holds_nothing_else) as folder:
        progress.begin("fusing", 1)
        checkpoints = _checkpoints(found, folder / stem)
        progress.advance()
        exports = write_exports(found, calibration_set, folder / stem, progress=progress)
        built = None
        if no_engine is None:
            onnx = onnx_path(folder / stem, DEFAULT_PRECISION)
            built = build_release_engine(exports[onnx], onnx, progress=progress)
        served = None
        if triton:
            onnx = onnx_path(folder / stem, SERVED)
            served = write_repository(folder, onnx, exports[onnx])
        comparison = _compare([folder / f"{stem}_fused.pth", *exports], pairs, repeats, progress)
        files = [*map(plain_file, checkpoints), *starmap(onnx_file, exports.items())]
        report = ReleaseReport(
            folder=Path(target),
            stem=stem,
            source=found.name,
            source_sha256=found.sha256,
            info=found.checkpoint.info,
            files=[*files, engine_file(built, files)] if built else files,
            exports=[exported.report for exported in exports.values()],
            engine=built,
            no_engine=no_engine,
            triton=served,
            comparison=comparison,
        )
        _write_documents(report, folder)
    return report


def _write_documents(report: ReleaseReport, folder: Path) -> None:
    write_picture(Picture(worst_picture(report.comparison)), folder / PICTURE)
    (folder / CARD).write_text(model_card(report), encoding="utf-8", newline="\n")
    document = json.dumps(describe_release(report), indent=2, allow_nan=False)
    (folder / REPORT).write_text(document + "\n", encoding="utf-8", newline="\n")
    write_checksums(folder)


def _check_name(name: str) -> None:
    if not name or set(name) & set('/\\:*?"<>|') or name.startswith("."):
        raise ArgumentError(f"{name!r} cannot be the name of files: give one such as aether_small")


def _default_name(source: NetworkSource) -> str:
    variant = source.checkpoint.info.variant
    return source.path.stem if source.path and variant == "custom" else variant


def _pairs(images: Path | Sequence[PairFiles] | None) -> Sequence[PairFiles]:
    if images is None:
        return [PairFiles(original(photo), half_size(photo)) for photo in PHOTOGRAPHS]
    return find_pairs(images) if isinstance(images, Path) else images


def _checkpoints(source: NetworkSource, stem: Path) -> list[Path]:
    """Write the forms that PyTorch loads: not fused (if it was read so), fused, and fused safetensors."""
    written = [stem.with_name(f"{stem.name}_fused{suffix}") for suffix in (".pth", ".safetensors")]
    fused = fuse(source)
    for path in written:
        save_state_dict(fused.state_dict(), path, config=fused.arch_config())
    if source.checkpoint.info.fused or source.path is None:
        return written
    not_fused = stem.with_name(f"{stem.name}_notfused.pth")
    if source.path.suffix.lower() == ".safetensors":
        save_state_dict(read_state_dict(source.path), not_fused, config=fused.arch_config())
    else:
        shutil.copyfile(source.path, not_fused)  # observers and all
    return [not_fused, *written]


def _compare(
    files: Sequence[Path], pairs: Sequence[PairFiles], repeats: int, progress: Progress
) -> Comparison:
    opened = [
        open_model(path, provider="cpu")
        if path.suffix == ".onnx"
        else open_model(path, device="cpu", dtype="float32")
        for path in files
    ]
    return compare_models(opened, pairs, repeats=repeats, progress=progress)
