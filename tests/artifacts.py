"""What many tests read and none may write to: files exported, built and released once a session.

Everything is made when it is first asked for. `tiny` is a network of two blocks with observers of
quantization-aware training; `demo` is the bundled model, for the few tests whose point it is.
"""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch

import spandrel_aethernet
from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.engines.build import BuildReport
from spandrel_aethernet.images.files import Picture, write_picture
from spandrel_aethernet.onnx_export.export import ExportReport
from spandrel_aethernet.precision import Precision

from .conftest import make_network, make_second
from .images.pictures import photograph

Model = Literal["tiny", "tiny_float", "second", "demo"]

TINY = {"embed_dim": 8, "depths": (1, 1), "lk_kernel": 5}
SECOND = {"embed_dim": 16, "depths": (1, 1), "lk_kernel": 5, "spatial_attn": True, "res_scale": 0.3}


class Artifacts:
    """Files in one folder, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reports = cache(self._report)
        self._engines = cache(self._engine)
        self._releases = cache(self._release)
        self._checkpoints = cache(self._checkpoint)

    @property
    def tiny(self) -> Path:
        """Not fused, with the observers of quantization-aware training."""
        return self._checkpoints("tiny")

    @property
    def tiny_float(self) -> Path:
        """The same network without observers."""
        return self._checkpoints("tiny_float")

    @property
    def second(self) -> Path:
        """A training checkpoint of the second generation, not fused, with attention of both kinds."""
        return self._checkpoints("second")

    def report(self, precision: str, model: Model = "tiny") -> ExportReport:
        """What the export of `onnx(precision, model)` found."""
        return self._reports(precision, model)

    def engine_report(self, precision: str = "fp16-int8", model: Model = "tiny") -> BuildReport:
        """What the build of `engine(precision, model)` found."""
        return self._engines(precision, model)

    def onnx(self, precision: str, model: Model = "tiny") -> Path:
        """A checkpoint's export with all defaults; the demo model's is verified where it is released."""
        path = self.report(precision, model).path
        assert path is not None
        return path

    def engine(self, precision: str = "fp16-int8", model: Model = "tiny") -> Path:
        """An engine of TensorRT for RTX for all GPUs, built from `onnx(precision, model)`."""
        return self.engine_report(precision, model).path

    @property
    def images(self) -> Path:
        """A folder with one small original."""
        folder = self._folder / "photos"
        if not folder.exists():
            folder.mkdir()
            write_picture(Picture(photograph(64, 80)), folder / "photo.png")
        return folder

    @property
    def release(self) -> Path:
        """The release of `tiny`, measured on `images`, for Triton too; with an engine if it can be built."""
        return self._releases()

    def _release(self) -> Path:
        target = self._folder / "release"
        spandrel_aethernet.make_release(
            self.tiny, target, name="aether_tiny", images=self.images, triton=True
        )
        return target

    def _checkpoint(self, name: str) -> Path:
        if name == "demo":
            return DEMO_MODEL
        path = self._folder / f"{name}.pth"
        if name == "second":
            second = make_second(**SECOND)
            torch.save({"params": second.state_dict(), "arch_config": second.arch_config()}, path)
            return path
        network = make_network(**TINY)
        torch.save((network if name == "tiny_float" else _trained(network)).state_dict(), path)
        return path

    def _report(self, precision: str, model: Model) -> ExportReport:
        target = self._folder / f"{model}_{Precision.parse(precision).file_stem}.onnx"
        checkpoint, verified = self._checkpoints(model), model != "demo"
        return spandrel_aethernet.export_onnx(checkpoint, target, precision=precision, verified=verified)

    def _engine(self, precision: str, model: Model) -> BuildReport:
        source = self.onnx(precision, model)
        return spandrel_aethernet.build_engine(source, source.with_suffix(".engine"))


def _trained(network: Any) -> Any:
    """Let observers of the published recipe see a few images, as quantization-aware training does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ao: Any = importlib.import_module("torch.ao.quantization")
        activation = ao.FakeQuantize.with_args(
            observer=ao.MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=torch.quint8
        )
        network.train().qconfig = ao.QConfig(
            activation=activation, weight=ao.default_per_channel_weight_fake_quant
        )
        prepared = ao.prepare_qat(network)
        for seed in range(3):
            prepared(torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(seed)))
    return prepared.eval()
