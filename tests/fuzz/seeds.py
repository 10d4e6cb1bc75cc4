"""Small sound files of every format, written once, that all mutations begin with."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx
import safetensors.torch
import torch
from onnx import ModelProto, helper
from PIL import Image, PngImagePlugin

from spandrel_aethernet import EngineError, build_engine
from spandrel_aethernet.engines.sidecar import EngineInfo, document
from spandrel_aethernet.model.fuse_file import fuse_file
from spandrel_aethernet.onnx_model.metadata import Metadata, write_metadata
from spandrel_aethernet.precision import Precision
from spandrel_aethernet.shapes import Profile, Range

from ..artifacts import Artifacts
from ..engines.networks import upscaler
from ..images.pictures import ICC, photograph
from .files import File, Seeds
from .mutators.pictures import exif_block
from .pickling import saved
from .scripts import silent

KINDS = ("checkpoints", "onnx", "engines", "images")
PHOTO = Path("images") / "rgb.png"
MODEL = Path("checkpoints") / "plain.pth"


def write_seeds(folder: Path, artifacts: Artifacts) -> None:
    """Write all seeds into folders of their kind below `folder`."""
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
    _checkpoints(folder / "checkpoints", artifacts)
    _onnx(folder / "onnx", artifacts)
    _engines(folder / "engines", folder / "onnx" / "int8.onnx")
    _images(folder / "images")


def read_seeds(folder: Path) -> Seeds:
    """Return what `write_seeds` wrote; what lies beside a file begins with its stem or name."""
    return Seeds(folder, *(tuple(_read(folder / kind)) for kind in KINDS))


def _read(folder: Path) -> Iterable[File]:
    names = sorted(path.name for path in folder.iterdir())
    beside = [name for name in names if name.endswith((".json", ".bin"))]
    for name in names:
        if name not in beside:
            own = [other for other in beside if other.startswith((f"{name}.", f"{Path(name).stem}."))]
            content = {other: (folder / other).read_bytes() for other in own}
            yield File(name, (folder / name).read_bytes(), content)


def _checkpoints(folder: Path, artifacts: Artifacts) -> None:
    plain = torch.load(artifacts.tiny_float, weights_only=True)
    qat = torch.load(artifacts.tiny, weights_only=True)
    fuse_file(artifacts.tiny_float, folder / "fused.pth")
    fuse_file(artifacts.tiny, folder / "ranges.safetensors")
    half = {key: tensor.half().contiguous() for key, tensor in plain.items()}
    contents = {
        "plain.pth": saved(plain),
        "plain.pt": saved(plain),
        "plain.ckpt": saved({"state_dict": plain, "epoch": 3}),
        "tiny.pth": saved(qat),
        "old.pth": saved(plain, legacy=True),
        "old.ckpt": saved({"params": qat}, legacy=True),
        "average.pth": saved({"params_ema": plain, "params": plain}),
        "whole.pth": saved({"net_g": plain, "optimizer": None}),
        "half.safetensors": safetensors.torch.save(half),
        "qat.safetensors": safetensors.torch.save(
            {key: tensor.contiguous().clone() for key, tensor in qat.items()}
        ),
        "script.pt": silent(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def _onnx(folder: Path, artifacts: Artifacts) -> None:
    numpy: Any = importlib.import_module("numpy")
    (folder / "exported.onnx").write_bytes(artifacts.onnx("fp16-int8").read_bytes())
    upscaler(folder / "fp32.onnx")
    upscaler(folder / "fp16.onnx", numpy.float16, shape=(1, 3, 16, 24))
    upscaler(folder / "int8.onnx", int8=True)
    upscaler(folder / "product.onnx", product=True, int8=True)
    model = onnx.load(folder / "fp32.onnx")
    place = "external.bin"
    onnx.save_model(
        model, folder / "external.onnx", save_as_external_data=True, location=place, size_threshold=0
    )
    (folder / "functions.onnx").write_bytes(_with_function(folder / "fp32.onnx"))
    described = onnx.load(folder / "fp32.onnx")
    write_metadata(described, _METADATA)
    onnx.save(described, folder / "metadata.onnx")


_METADATA = Metadata(
    package_version="0.1.0",
    source="tiny.pth",
    source_sha256="0" * 64,
    variant="custom",
    layout="not fused, QAT",
    scale=2,
    channels=3,
    precision="fp32",
    preset=None,
    profile=Profile(Range(1, 1, 4), Range(16, 32, 64), Range(16, 32, 64)),
    input_ranges={},
    float_operators=(),
)


def _with_function(path: Path) -> bytes:
    model: ModelProto = onnx.load(path)
    opset = helper.make_opsetid("", 17)
    body = [helper.make_node("Relu", ["a"], ["b"])]
    model.functions.append(helper.make_function("local", "rectify", ["a"], ["b"], body, [opset]))
    model.opset_import.append(helper.make_opsetid("local", 1))
    model.graph.node[0].input[0] = "rectified"
    model.graph.node.insert(0, helper.make_node("rectify", ["input"], ["rectified"], domain="local"))
    return model.SerializeToString()


def _engines(folder: Path, source: Path) -> None:
    """Write the start of an engine of TensorRT for RTX, where that is installed, and of a classic one."""
    classic = b"ftrt" + bytes(20) + bytes((10, 13, 0, 35)) + bytes(500)
    (folder / "classic.plan").write_bytes(classic)
    info = EngineInfo(
        engine_sha256=hashlib.sha256(classic).hexdigest(),
        source="small.onnx",
        source_sha256="0" * 64,
        runtime="tensorrt",
        version="10.13.0.35",
        targets=("8.6",),
        profile=_METADATA.profile,
        input_name="input",
        output_name="output",
        precision=Precision("fp16", int8=True),
        scale=2,
        channels=3,
        operators={"int8": 49, "fp16": 4},
        layers=None,
        fell_back=("convolution",),
        build_seconds=1.5,
        package_version="0.1.0",
    )
    (folder / "classic.plan.json").write_text(document(info))
    with suppress(EngineError):
        built = build_engine(source, folder / "small.engine").path
        _shorten(built)
        (folder / "bare.engine").write_bytes(built.read_bytes())


def _shorten(engine: Path) -> None:
    """Cut an engine, so that files stay small: all but its header is TensorRT's to check, on a GPU."""
    content = engine.read_bytes()[:50_000]
    content = content[:16] + len(content).to_bytes(8, "little") + content[24:]
    engine.write_bytes(content)
    described = engine.with_name(f"{engine.name}.json")
    known = json.loads(described.read_text())
    known["engine_sha256"] = hashlib.sha256(content).hexdigest()
    described.write_text(json.dumps(known, indent=2))


def _images(folder: Path) -> None:
    rgb = Image.fromarray(photograph(20, 24))
    exif = exif_block(6, "Camera Maker")
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a photograph", zip=True)
    sixteen: Any = rgb.convert("L").convert("I;16")
    rgb.save(folder / "rgb.png")
    rgb.quantize(16).save(folder / "palette.png", icc_profile=ICC, pnginfo=text, exif=exif)
    rgb.convert("RGBA").save(folder / "alpha.png")
    sixteen.save(folder / "sixteen.png")
    rgb.save(folder / "photo.jpg", exif=b"Exif\0\0" + exif, icc_profile=ICC)
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    rgb.save(folder / "photo.webp", exif=exif, icc_profile=ICC)
    rgb.save(folder / "exact.webp", lossless=True)
    rgb.save(folder / "photo.tiff", icc_profile=ICC)
    rgb.save(folder / "deflated.tiff", compression="tiff_deflate")
    rgb.save(folder / "photo.bmp")
    rgb.save(folder / "two.gif", save_all=True, append_images=[rgb.convert("L")])
