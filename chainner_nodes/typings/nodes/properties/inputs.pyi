# SPDX-License-Identifier: GPL-3.0-or-later
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import navi
import numpy as np
from api import BaseInput
from spandrel import ImageModelDescriptor

E = TypeVar("E", bound=Enum)

class ModelInput(BaseInput[ImageModelDescriptor[Any]]):
    def __init__(self, label: str = ..., input_type: navi.ExpressionJson = ...) -> None: ...

class ImageInput(BaseInput[np.ndarray]):
    def __init__(self, label: str = ...) -> None: ...

class FileInput(BaseInput[Path]):
    def __init__(
        self,
        label: str,
        file_kind: str,
        filetypes: list[str],
        has_handle: bool = ...,
        primary_input: bool = ...,
    ) -> None: ...

class DirectoryInput(BaseInput[Path]):
    def __init__(self, label: str = ..., has_handle: bool = ..., must_exist: bool = ...) -> None: ...

class TextInput(BaseInput[str]):
    def __init__(self, label: str, *, has_handle: bool = ..., default: str | None = ...) -> None: ...

class RelativePathInput(BaseInput[str]):
    def __init__(self, label: str, *, default: str | None = ...) -> None: ...

class NumberInput(BaseInput[Any]):
    def __init__(
        self,
        label: str,
        *,
        precision: int = ...,
        step: float | None = ...,
        default: float = ...,
        min: float | None = ...,
        max: float | None = ...,
        unit: str | None = ...,
        note_expression: str | None = ...,
    ) -> None: ...

class EnumInput(BaseInput[E]):
    def __init__(
        self,
        enum: type[E],
        label: str | None = ...,
        *,
        default: E | None = ...,
        type_name: str | None = ...,
        option_labels: dict[E, str] | None = ...,
    ) -> None: ...

def BoolInput(label: str, *, default: bool = ...) -> BaseInput[bool]: ...
