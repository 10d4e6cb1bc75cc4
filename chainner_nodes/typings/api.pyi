# SPDX-License-Identifier: GPL-3.0-or-later
# The part of chaiNNer's node API (backend/src/api) that the nodes use.
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import navi
from typing_extensions import Self

T = TypeVar("T")
N = TypeVar("N")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

MB: int

class Aborted(Exception): ...

class Progress:
    @property
    def aborted(self) -> bool: ...
    def check_aborted(self) -> None: ...
    def suspend(self) -> None: ...
    def set_progress(self, progress: float) -> None: ...

class SettingsParser:
    def get_int(self, key: str, default: int, parse_str: bool = ...) -> int: ...
    def get_cache_location(self, key: str) -> str | None: ...

class NodeContext(Progress):
    @property
    def settings(self) -> SettingsParser: ...
    @property
    def storage_dir(self) -> Path: ...
    def add_cleanup(self, fn: Callable[[], None], after: Literal["node", "chain"] = ...) -> None: ...

class BaseInput(Generic[T]):
    label: str
    associated_type: Any
    type_definitions: str | None
    def __init__(
        self,
        input_type: navi.ExpressionJson,
        label: str,
        kind: str = ...,
        has_handle: bool = ...,
        associated_type: Any = ...,
    ) -> None: ...
    def enforce(self, value: object) -> T: ...
    def with_id(self, input_id: int) -> Self: ...
    def with_docs(self, *description: str, hint: bool = ...) -> Self: ...
    def make_optional(self) -> Self: ...

class BaseOutput(Generic[T]):
    kind: str
    def __init__(
        self,
        output_type: navi.ExpressionJson,
        label: str,
        kind: Literal["large-image", "tagged", "generic"] = ...,
        has_handle: bool = ...,
        associated_type: Any = ...,
    ) -> None: ...
    def with_docs(self, *description: str) -> Self: ...
    def get_broadcast_data(self, value: T) -> Any: ...
    def get_broadcast_type(self, value: T) -> navi.ExpressionJson | None: ...

class NestedGroup: ...

@dataclass
class Collector(Generic[N, R]):
    on_iterate: Callable[[N], None]
    on_complete: Callable[[], R]

class IteratorInputInfo:
    def __init__(self, *, inputs: int | list[int], length_type: navi.ExpressionJson = ...) -> None: ...

class NodeGroup:
    order: list[str]
    def register(
        self,
        schema_id: str,
        *,
        name: str,
        description: str | list[str],
        inputs: Iterable[BaseInput[Any] | NestedGroup],
        outputs: Iterable[BaseOutput[Any]],
        icon: str = ...,
        kind: Literal["regularNode", "generator", "collector", "transformer"] = ...,
        side_effects: bool = ...,
        see_also: list[str] | str | None = ...,
        iterator_inputs: IteratorInputInfo | None = ...,
        node_context: bool = ...,
    ) -> Callable[[F], F]: ...

class Category:
    def add_node_group(self, name: str) -> NodeGroup: ...

@dataclass
class Dependency:
    display_name: str
    pypi_name: str
    version: str
    size_estimate: int | float
    auto_update: bool = ...
    extra_index_url: str | None = ...
    import_name: str | None = ...

@dataclass
class DropdownSetting:
    label: str
    key: str
    description: str
    options: list[dict[str, str]]
    default: str

@dataclass
class CacheSetting:
    label: str
    key: str
    description: str
    directory: str

class Package:
    def add_category(
        self, name: str, description: str, icon: str, color: str, install_hint: str | None = ...
    ) -> Category: ...
    def add_setting(self, setting: DropdownSetting | CacheSetting) -> None: ...

def add_package(
    where: str,
    id: str,
    name: str,
    description: str,
    dependencies: list[Dependency] | None = ...,
    icon: str = ...,
    color: str = ...,
) -> Package: ...
