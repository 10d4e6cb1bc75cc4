# SPDX-License-Identifier: GPL-3.0-or-later
"""The error this package raises."""

from __future__ import annotations


class InstallError(Exception):
    """What the installer refuses or could not do: one sentence that says what to do about it."""
