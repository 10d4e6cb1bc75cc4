"""From one checkpoint to the whole published folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from ..data import PHOTOGRAPHS, half_size, original
from ..errors import OutputError
from ..evaluation.compare import compare_models, worst_picture
from ..evaluation.pairs import PairFiles, find_pairs
from ..evaluation.results import Comparison
from ..files import replacing_folder
from ..images.files import Picture, write_picture
from ..inference.open import open_model
from ..model.checkpoint import Checkpoint, Weights, read_checkpoint
from ..model.fuse_file import fuse_file
from ..model.io import named, read_state_dict, save_state_dict
from ..onnx_export.export import PRECISIONS, export_onnx
from .card import PICTURE, model_card
from .checksums import holds_nothing_else, sha256, write_checksums
from .engine import build_release_engine, why_no_engine
from .report import ReleaseReport, describe_release, engine_file, onnx_file, plain_file

CARD, REPORT = "README.md", "report.json"


def make_release(
    source: Path,
    target: Path,
    *,
    name: str | None = None,
    images: Path | Sequence[PairFiles] | None = None,
    calibration: Path | None = None,
    weights: Weights = "grid",
    repeats: int = 1,
    engine: bool | None = None,
    force: bool = False,
    on_step: Callable[[str, int], object] = lambda _step, _total: None,
    on_progress: Callable[[], object] = lambda: None,
    on_wait: Callable[[], object] = lambda: None,
) -> ReleaseReport:
    """Make the folder `target` from `source`, a checkpoint in any layout.

    It holds the fused checkpoint as `.pth` and `.safetensors` (and the not fused one as it is, if that
    is what `source` is), four ONNX files, a TensorRT engine with its description if `engine` is True (or
    None, and TensorRT for RTX is installed), `README.md` with what was measured on `images` (a folder of
    originals; default: the bundled photographs), `report.json` and `SHA256SUMS`. Files are called
    `name` (default: the variant's, or the source's for a custom one), scale and form. The folder takes
    its name when all is done. `on_step` is given the name of each step and how often `on_progress` will
    be called in it; `on_wait` is called ten times a second while TensorRT builds. What a callback raises
    ends it. Raises `AetherError`s of all kinds, and then there is no folder.
    """
    no_engine = why_no_engine(engine)
    with named(source):
        checkpoint = read_checkpoint(read_state_dict(source), weights=weights)
    stem = f"{_checked_name(name, source, checkpoint)}_{checkpoint.info.hyperparameters['scale']}x"
    pairs = _pairs(images)
    with replacing_folder(target, force=force, ours=holds_nothing_else) as folder:
        on_step("fusing", 1)
        checkpoints = _checkpoints(source, checkpoint, folder / stem, weights)
        on_progress()
        exports = [
            export_onnx(
                source,
                folder / f"{stem}_{precision.replace('-', '_')}.onnx",
                precision=precision,
                calibration=calibration,
                weights=weights,
                on_step=lambda step, total, precision=precision: on_step(f"{precision}: {step}", total),
                on_progress=on_progress,
            )
            for precision in PRECISIONS
        ]
        built = None
        if no_engine is None:
            on_step("building the engine", 1)
            built = build_release_engine(exports, on_wait=on_wait)
            on_progress()
        measured = [folder / f"{stem}_fused.pth", *(export.path for export in exports)]
        on_step("comparing", len(measured) * (len(pairs) * repeats + 1))
        comparison = _compare(measured, pairs, repeats, on_progress)
        files = [*map(plain_file, checkpoints), *map(onnx_file, exports)]
        report = ReleaseReport(
            folder=target,
            stem=stem,
            source=source.name,
            source_sha256=sha256(source),
            info=checkpoint.info,
            files=[*files, engine_file(built, files)] if built else files,
            exports=exports,
            engine=built,
            no_engine=no_engine,
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


def _checked_name(name: str | None, source: Path, checkpoint: Checkpoint) -> str:
    if name is None:
        variant = checkpoint.info.variant
        return source.stem if variant == "custom" else variant
    if not name or set(name) & set('/\\:*?"<>|') or name.startswith("."):
        raise OutputError(f"{name!r} is no name for a model: files are called by it, such as aether_small")
    return name


def _pairs(images: Path | Sequence[PairFiles] | None) -> Sequence[PairFiles]:
    if images is None:
        return [PairFiles(original(photo), half_size(photo)) for photo in PHOTOGRAPHS]
    return find_pairs(images) if isinstance(images, Path) else images


def _checkpoints(source: Path, checkpoint: Checkpoint, stem: Path, weights: Weights) -> list[Path]:
    """Write the forms that PyTorch loads: not fused (if it was given so), fused, and fused safetensors."""
    written = [stem.with_name(f"{stem.name}_fused{suffix}") for suffix in (".pth", ".safetensors")]
    for path in written:
        fuse_file(source, path, weights=weights)
    if checkpoint.info.fused:
        return written
    not_fused = stem.with_name(f"{stem.name}_notfused.pth")
    if source.suffix.lower() == ".safetensors":
        save_state_dict(read_state_dict(source), not_fused)
    else:
        shutil.copyfile(source, not_fused)  # observers and all
    return [not_fused, *written]


def _compare(
    files: Sequence[Path], pairs: Sequence[PairFiles], repeats: int, on_pass: Callable[[], object]
) -> Comparison:
    opened = [
        open_model(path, provider="cpu") if path.suffix == ".onnx" else open_model(path, device="cpu")
        for path in files
    ]
    return compare_models(opened, pairs, repeats=repeats, on_pass=on_pass)
