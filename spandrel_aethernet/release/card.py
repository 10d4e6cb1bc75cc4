"""The model card: `README.md` of a release."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from ..engines import DEFAULT_PRECISION
from ..engines.runtime import TITLES, WHEELS
from ..engines.targets import CARDS
from ..engines.trtexec import newer_spelling, trtexec_command
from ..evaluation.results import ModelResult
from ..onnx_export.export import ExportReport
from ..onnx_model.metadata import SOURCE_TEXTS
from ..precision import Precision
from ..shapes import shape_text
from .report import FileReport, ReleaseReport

PICTURE = "comparison.png"
_TRTEXEC_PRECISION = Precision("fp32", int8=True)
"""Of the file in the published command."""

_CARD = """# {stem}

{architecture}, {variant}: enlarges images {scale} times. {parameters:,} parameters, width {width},
blocks {depths}.
Released from `{source}` ({layout}) by spandrel-aethernet; the AetherNet architecture is by Philip Hofmann.

| file | precision | size | INT8 | PSNR | SSIM | to fused | speed |
|---|---|---|---|---|---|---|---|
{table}

INT8 is the share of the multiply-adds. PSNR and SSIM are means over {images}: 8-bit RGB, 2 pixels on each
side left out. "to fused" is the PSNR against the output of the fused checkpoint. Speed is how many times as
fast as that one in PyTorch a file runs in ONNX Runtime, both on the CPU that made this release; FP16 is for
GPUs. Other checkpoints hold the same network as the fused one, and an engine runs on a GPU only. `aethernet
compare` measures the same.

![Crops of the photographs]({picture})

The picture shows the crop where the fused network is farthest from the original, then for each file the crop
where it is farthest from the fused network.

## ONNX

Input `input`, N x {channels} x height x width, values 0..1; output `output`, {scale} times as high and wide,
not clamped.

{exports}

## TensorRT

{engine}

The INT8 ranges are in the ONNX files, so an engine needs no calibration images. NVIDIA's own tool builds one,
too, for the GPU it runs on:

```sh
{trtexec}
```

Its options are the published ones: {newer}.
{triton}
## Whole and unchanged

```sh
sha256sum --check SHA256SUMS
```
"""

_ENGINE = """`{name}` was built by {tensorrt} for GPUs of compute capability
{targets}.
It takes {min_shape} to {max_shape} and runs in the TensorRT for RTX that built it:

```sh
pip install "spandrel-aethernet[rtx]" {wheel}
aethernet upscale photos/ -o larger/ -m {name}
```

Its layers by type: {layers}. `{name}.json` has the rest, which `aethernet info {name}` prints."""

_NO_ENGINE = """The engine for RTX cards, which is not among these files, is built on x86-64 Linux or
Windows, with or without a GPU, by `pip install "spandrel-aethernet[onnx,rtx]"` and
`aethernet engine {onnx} -o {stem}.engine --target all`."""


_TRITON = """
## Triton

`triton/` is a model repository for NVIDIA Triton. It serves `{file}` as `{name}`, in ONNX Runtime, with
batches of up to {max_batch_size}:

```sh
docker run --rm --gpus all -p 8001:8001 -v "$PWD/triton:/models" \\
  nvcr.io/nvidia/tritonserver:YY.MM-py3 tritonserver --model-repository=/models
```
"""


def model_card(report: ReleaseReport) -> str:
    """Write the card in Markdown."""
    hyperparameters = report.info.hyperparameters
    measured = {result.model.name: result for result in report.comparison.models}
    return _CARD.format(
        stem=report.stem,
        architecture=report.info.generation.name,
        variant=report.info.variant,
        scale=hyperparameters["scale"],
        parameters=report.info.parameters,
        width=hyperparameters["embed_dim"],
        depths=" + ".join(map(str, hyperparameters["depths"])),
        channels=hyperparameters["in_chans"],
        source=report.source,
        layout=report.info.layout,
        table="\n".join(_row(file, measured.get(file.name), report) for file in report.files),
        images=", ".join(image.image for image in report.comparison.models[0].images),
        picture=PICTURE,
        exports="\n".join(map(_export, report.exports)),
        engine=_engine(report),
        trtexec=_trtexec(report),
        newer=newer_spelling(_TRTEXEC_PRECISION),
        triton=_TRITON.format(**vars(report.triton)) if report.triton else "",
    )


def _row(file: FileReport, result: ModelResult | None, report: ReleaseReport) -> str:
    share = "" if file.int8_share is None else f"{file.int8_share:.1%}"
    cells = [f"`{file.name}`", file.precision, f"{file.size / 1e6:.2f} MB", share]
    if result is None:
        cells += [""] * 4
    else:
        first = result is report.comparison.models[0]
        difference = "" if first else _decibels(result.difference_psnr)
        speed = f"{report.comparison.ratio(result):.2f}"
        cells += [_decibels(result.psnr), f"{result.ssim:.4f}", difference, speed]
    return f"| {' | '.join(cells)} |"


def _decibels(value: float) -> str:
    return f"{value:.2f} dB" if math.isfinite(value) else "equal"


def _export(export: ExportReport) -> str:
    metadata = export.metadata
    line = f"- `{_name(export)}`: opset {export.opset}"
    if metadata.preset:
        sources = Counter(metadata.input_ranges.values())
        ranges = " and ".join(f"{sources[key]} {text}" for key, text in SOURCE_TEXTS.items() if sources[key])
        line += f", operators chosen for {metadata.preset}, input ranges: {ranges}"
    worst = min(agreement.psnr for agreement in export.agreements)
    return f"{line}; {worst:.0f} dB or more from PyTorch with the same rounding"


def _engine(report: ReleaseReport) -> str:
    if report.engine is None:
        return _NO_ENGINE.format(onnx=_name(_exported(report, DEFAULT_PRECISION)), stem=report.stem)
    info, notes = report.engine.info, report.engine.notes
    min_shape, _, max_shape = (shape_text(shape, "x") for shape in info.profile.shapes(info.channels))
    layers = ", ".join(f"{count} {precision}" for precision, count in sorted((info.layers or {}).items()))
    text = _ENGINE.format(
        name=report.engine.path.name,
        tensorrt=f"{TITLES[info.runtime]} {info.version}",
        targets=", ".join(map(_target, info.targets)),
        min_shape=min_shape,
        max_shape=max_shape,
        wheel=f"{WHEELS[info.runtime]}=={info.version}",
        layers=layers or "unknown",
    )
    return "\n\n".join([text, *(f"Note: {note.sentence}." for note in notes)])


def _target(capability: str) -> str:
    return f"{capability} ({CARDS[capability]})" if capability in CARDS else capability


def _exported(report: ReleaseReport, precision: Precision) -> ExportReport:
    return next(export for export in report.exports if export.metadata.precision == str(precision))


def _name(export: ExportReport) -> str:
    assert export.path is not None, "all files of a release were written"
    return export.path.name


def _trtexec(report: ReleaseReport) -> str:
    int8 = _exported(report, _TRTEXEC_PRECISION)
    return trtexec_command(
        Path(_name(int8)),
        Path(f"{report.stem}_int8_dynamic.engine"),
        int8.metadata.profile,
        input_name="input",
        channels=int8.metadata.channels,
        precision=_TRTEXEC_PRECISION,
    )
