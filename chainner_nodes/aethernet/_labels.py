# SPDX-License-Identifier: GPL-3.0-or-later
"""What the arguments of `spandrel_aethernet` are called on the nodes."""

from __future__ import annotations

from collections.abc import Mapping

_LABELS: Mapping[str, str] = {
    "dry_run": "aethernet engine --dry-run",
    "engine": "Engine",
    "force": "Overwrite",
    "images": "Comparison Images",
    "max_shapes": "Largest Side",
    "min_shapes": "Smallest Side",
    "name": "Folder Name",
    "opset": "Opset",
    "opt_shapes": "Usual Side",
    "optimization_level": "Optimization Level",
    "precision": "Precision",
    "preset": "Optimised For",
    "profile": "Sizes",
    "runtime": "Runtime",
    "targets": "GPUs",
    "tile": "Tile Size",
    "timing_cache": "Timing Cache",
    "trust": "Trust",
    "verbose": "aethernet engine --verbose",
    "verified": "Verify",
    "workspace": "Workspace",
}


def node_words(argument: str, value: object) -> str:
    """Name an argument by the label of its input, with the value to give it."""
    label = _LABELS.get(argument, argument)
    if value is False:
        return f"turning off {label}"
    return label if value is None or value is True else f"{label} {value}"
