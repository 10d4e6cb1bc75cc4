# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine is built from: an AetherNet, or any ONNX model."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from api import BaseInput
from nodes.impl.onnx.model import OnnxGeneric
from spandrel import ImageModelDescriptor

from ._engine import TYPE_DEFINITIONS
from ._model import AetherNetInput, model_file

Source: TypeAlias = ImageModelDescriptor[Any] | OnnxGeneric


class SourceInput(BaseInput[Source]):
    """An AetherNet, or any ONNX model."""

    def __init__(self) -> None:
        """Take either."""
        super().__init__(['PyTorchModel { arch: "AetherNet" }', "OnnxGenericModel"], "Model")
        self.associated_type = Source
        self.type_definitions = TYPE_DEFINITIONS

    def enforce(self, value: object) -> Source:
        """Return it. Raises ValueError for anything else."""
        return value if isinstance(value, OnnxGeneric) else AetherNetInput(self.label).enforce(value)


@contextmanager
def source_file(source: Source, name: str) -> Generator[Path]:
    """Yield a checkpoint, or an ONNX file called `name`, which is gone after the block."""
    if isinstance(source, ImageModelDescriptor):
        with model_file(source) as path:
            yield path
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        path.write_bytes(source.bytes)
        yield path


def channels_of(source: Source) -> int:
    """Return how many channels its images have."""
    if isinstance(source, ImageModelDescriptor):
        return source.input_channels
    return source.info.input_channels or 3
