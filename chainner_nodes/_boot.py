# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings our nodes into chaiNNer; a `.pth` file imports this whenever the Python that has them starts.

It waits for chaiNNer's `api.api` and makes `PackageRegistry.load_nodes` load `chainner_nodes.aethernet` after
chaiNNer's own nodes. Other programs must notice nothing, so nothing is imported here before it is needed.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing's own would cost the import of typing
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_API = "api.api"
_NODES = "chainner_nodes.aethernet"
_PACKAGE_ID = "chaiNNer_aethernet"


class ApiFinder:
    """Finds chaiNNer's `api.api` and nothing else; once that has been imported it is gone."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return chaiNNer's module with a loader that adds our nodes, or None for every other module."""
        if name != _API:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None or not _is_chainner(spec.origin):
            return None
        # A Loader in all but its base class, whose import is what Python's start would have to pay for.
        spec.loader = ApiLoader(spec.loader, self)  # pyright: ignore[reportAttributeAccessIssue]
        return spec


class ApiLoader:
    """Loads `api.api` as `loader` does, then adds our nodes to it and takes `finder` away."""

    def __init__(self, loader: Loader, finder: ApiFinder) -> None:
        self._loader, self._finder = loader, finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave the module to the loader it has."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then change its `PackageRegistry`."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        add_nodes(module)


def add_nodes(api: Any) -> None:
    """Make `api.PackageRegistry.load_nodes` load our nodes too; an `api` without it costs one warning."""
    try:
        registry, load_error = api.PackageRegistry, api.LoadErrorInfo
        load_chainner, _ = registry.load_nodes, registry._refresh_nodes
    except AttributeError as error:
        _warn(f"AetherNet's nodes are not loaded, as this chaiNNer is not as they expect it: {error}")
        return

    def load_nodes(self: Any, *arguments: Any, **options: Any) -> list[Any]:
        errors: list[Any] = load_chainner(self, *arguments, **options)
        # An earlier version of this project could copy its nodes into chaiNNer's code.
        if all(package.id != _PACKAGE_ID for package in self.packages.values()):
            errors.extend(load_error(*failure) for failure in import_all(_NODES))
            self._refresh_nodes()
        return errors

    registry.load_nodes = load_nodes


def import_all(name: str) -> Iterator[tuple[str, str, Exception]]:
    """Import a module and all below it but names with a `_` first; yield name, file, error of failures."""
    from importlib import import_module
    from importlib.util import find_spec
    from pkgutil import iter_modules

    try:
        module = import_module(name)
    except Exception as error:
        spec = find_spec(name)
        yield name, (spec and spec.origin) or "", error
        return
    for child in iter_modules(getattr(module, "__path__", ()), f"{name}."):
        if not child.name.rpartition(".")[2].startswith("_"):
            yield from import_all(child.name)


def _is_chainner(file: str | None) -> bool:
    """Say whether this `api/api.py` lies where chaiNNer's does; other programs may have an `api.api` too."""
    from pathlib import Path

    return file is not None and (Path(file).parents[1] / "packages" / "chaiNNer_pytorch").is_dir()


def _warn(message: str) -> None:
    try:
        from logger import logger
    except ImportError:
        return
    logger.warning(message)


sys.meta_path.insert(0, ApiFinder())
