# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of this package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from api import CacheSetting, DropdownSetting, NodeContext
from gpu import nvidia

from . import package

if nvidia.is_available:
    package.add_setting(
        DropdownSetting(
            label="GPU",
            key="gpu_index",
            description="Which NVIDIA GPU runs engines. Only relevant if there are several.",
            options=[{"label": device.name, "value": str(device.index)} for device in nvidia.devices],
            default="0",
        )
    )
package.add_setting(
    CacheSetting(
        label="Timing Cache",
        key="timing_cache",
        description="Where TensorRT keeps what it measured, so that building another engine for the same GPU "
        "is faster. TensorRT for RTX measures nothing and does not use it.",
        directory="aethernet_timing_cache",
    )
)


@dataclass(frozen=True)
class Settings:
    """What is set."""

    device: str
    """`cuda:0` and so on."""
    timing_cache: Path | None


def get_settings(context: NodeContext) -> Settings:
    """Return the settings of the run that a node is part of."""
    folder = context.settings.get_cache_location("timing_cache")
    index = context.settings.get_int("gpu_index", 0, parse_str=True)
    if folder is None:
        return Settings(f"cuda:{index}", None)
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Settings(f"cuda:{index}", Path(folder) / "timing.cache")
