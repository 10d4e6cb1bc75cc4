"""What a file holds: its state_dict without wrappers and prefixes, and how its network was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from spandrel import canonicalize_state_dict

_PREFIXES = ("module.", "net.")
"""What frameworks put before every key; spandrel takes off the first only."""


class RecordedStateDict(dict[str, Any]):
    """A state_dict that brings along what lay beside it in its file: `arch_config`."""

    def __init__(self, state_dict: Mapping[str, Any], arch_config: Mapping[str, Any]) -> None:
        super().__init__(state_dict)
        self.arch_config = arch_config


@dataclass(frozen=True)
class Contents:
    """A file, opened."""

    state_dict: Mapping[str, Any]
    config: Mapping[str, Any]
    """The `arch_config` beside it: the arguments of the published network; empty where there is none."""

    @property
    def keys(self) -> list[str]:
        """The keys that are text."""
        named: Mapping[Any, Any] = self.state_dict
        return [key for key in named if isinstance(key, str)]


def opened(content: Mapping[str, Any]) -> Contents:
    """Open what a file holds, or a state_dict that spandrel opened already; what is given stays as it is."""
    config = content.arch_config if isinstance(content, RecordedStateDict) else _config(content)
    inner = content.get("net_g")
    state_dict = cast(dict[Any, Any], inner if isinstance(inner, dict) else content)
    if all(isinstance(key, str) for key in state_dict):
        state_dict = canonicalize_state_dict(state_dict)
    for prefix in _PREFIXES:
        if state_dict and all(str(key).startswith(prefix) for key in state_dict):
            state_dict = {key.removeprefix(prefix): value for key, value in state_dict.items()}
    return Contents(state_dict, config)


def _config(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what training checkpoints keep beside their tensors, and releases in their `metadata`."""
    metadata = content.get("metadata")
    beside = cast(Mapping[str, Any], metadata) if isinstance(metadata, Mapping) else content
    config: Any = beside.get("arch_config")
    return cast(Mapping[str, Any], config) if isinstance(config, Mapping) else {}
