# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine is built from: an AetherNet, or any ONNX model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from api import BaseInput
from nodes.impl.onnx.model import OnnxGeneric
from spandrel import ImageModelDescriptor

from ._engine import TYPE_DEFINITIONS
from ._model import TYPE, AetherNetInput

if TYPE_CHECKING:
    from onnx import ModelProto

Source: TypeAlias = ImageModelDescriptor[Any] | OnnxGeneric


class SourceInput(BaseInput[Source]):
    """An AetherNet, or any ONNX model."""

    def __init__(self) -> None:
        """Take either."""
        super().__init__([TYPE, "OnnxGenericModel"], "Model")
        self.associated_type = Source
        self.type_definitions = TYPE_DEFINITIONS

    def enforce(self, value: object) -> Source:
        """Return it. Raises ValueError for anything else."""
        return value if isinstance(value, OnnxGeneric) else AetherNetInput(self.label).enforce(value)


def as_held(source: Source) -> ImageModelDescriptor[Any] | ModelProto:
    """Return it as `build_engine` takes it."""
    if isinstance(source, ImageModelDescriptor):
        return source
    from onnx import load_model_from_string

    return load_model_from_string(source.bytes)


def channels_of(source: Source) -> int:
    """Return how many channels its images have."""
    if isinstance(source, ImageModelDescriptor):
        return source.input_channels
    return source.info.input_channels or 3
