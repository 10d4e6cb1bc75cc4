"""The bundled demo checkpoint and photographs (licences in SOURCES.md beside this file)."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

DEMO_MODEL = _HERE / "aether_small_2x_qat_notfused.pth"
"""A trained aether_small 2x, not fused, with the observers of its quantization-aware training."""

PHOTOGRAPHS = ("astronaut", "bridge", "chelsea", "coffee", "flower", "rocket")
"""Names of the photographs; none was used in training."""


def original(name: str) -> Path:
    """Return the path of a photograph, 8-bit RGB PNG."""
    return _HERE / f"{name}_hr.png"


def half_size(name: str) -> Path:
    """Return the path of the same photograph at half its size (Pillow's BICUBIC)."""
    return _HERE / f"{name}_lr.png"
