# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes distributions away again, and all that is left in their folders."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from . import pip
from .python import InstallError, Python, normalised


def still_needed(python: Python, names: Iterable[str]) -> dict[str, str]:
    """Return those of some distributions that another needs which is to stay, and that other's name."""
    kept: dict[str, str] = {}
    going = set(names) & python.own
    while users := _users(python, going):
        kept |= users
        going -= set(users)
    return kept


def remove(python: Python, distributions: Mapping[str, list[str]]) -> None:
    """Uninstall distributions, then remove what is left of the files and folders that came with them.

    Raises InstallError if pip fails and it is not known what came with one of them.
    """
    installed = [name for name in distributions if name in python.own]
    try:
        if installed:
            pip.uninstall(python, installed)
    except InstallError:  # an installation that was cut short has left no list of files
        if not all(distributions[name] for name in installed):
            raise
    for entries in distributions.values():
        for entry in entries:
            for site in {python.site, python.platform_site}:
                _remove(site / entry)


def _users(python: Python, going: set[str]) -> dict[str, str]:
    """Return the distributions that one which is not going requires, optional requirements aside."""
    return {
        required: name
        for name, found in python.distributions.items()
        if name not in going
        for requirement in found.requires
        if not re.search(r"extra\s*==", requirement) and (required := normalised(requirement)) in going
    }


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
