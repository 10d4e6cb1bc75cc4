# SPDX-License-Identifier: GPL-3.0-or-later
"""A script: tells about the Python that runs it, as one line of JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
from importlib import metadata
from typing import Any


def describe() -> dict[str, Any]:
    """Return the fields of `python.Python`."""
    distributions: dict[str, Any] = {}
    for found in metadata.distributions():
        name, version = found.metadata["Name"], found.metadata["Version"]
        if name and version:  # else it is what a broken installation has left
            folder, requires = str(found.locate_file("")), found.requires or []
            distributions.setdefault(name, {"version": version, "folder": folder, "requires": requires})
    paths = sysconfig.get_paths()
    site = paths["purelib"]
    return {
        "site": site,
        "platform_site": paths["platlib"],
        "writable": os.access(site, os.W_OK),
        "platform": sys.platform,
        "machine": platform.machine(),
        "booted": "chainner_nodes._boot" in sys.modules,
        "distributions": distributions,
    }


print(json.dumps(describe()))  # noqa: T201  (its answer)
