# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command line's options are called on the nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LABELS: Mapping[str, str] = {
    "--dry-run": "aethernet engine --dry-run",
    "--force": "Overwrite",
    "--max-shapes": "Largest Side",
    "--min-shapes": "Smallest Side",
    "--no-engine": "turning off Engine",
    "--opt-shapes": "Usual Side",
    "--precision": "Precision",
    "--runtime": "Runtime",
    "--target": "GPUs",
    "--tile": "Tile Size",
    "--timing-cache": "Timing Cache",
    "--verbose": "aethernet engine --verbose",
    "--workspace": "Workspace",
}


def in_node_words(sentence: str) -> str:
    """Return a sentence with options such as `--tile` replaced by the labels of inputs."""
    return re.sub(r"--[a-z-]+", lambda match: _LABELS.get(match[0], match[0]), sentence)
