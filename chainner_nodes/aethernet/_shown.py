# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs whose values chaiNNer's window shows after a run; its own only where nothing goes in."""

from __future__ import annotations

import navi
from nodes.properties.outputs import BoolOutput, NumberOutput, TextOutput


class ShownText(TextOutput):
    """A text."""

    def __init__(self, label: str) -> None:
        """Call it `label`."""
        super().__init__(label)
        self.kind = "tagged"

    def get_broadcast_data(self, value: str) -> dict[str, list[str]]:
        """Return what the window shows."""
        return {"tags": [value]}


class ShownNumber(NumberOutput):
    """A number."""

    def __init__(self, label: str, output_type: navi.ExpressionJson) -> None:
        """Call it `label`, and narrow its type."""
        super().__init__(label, output_type)
        self.kind = "tagged"

    def get_broadcast_data(self, value: int | float) -> dict[str, list[str]]:
        """Return what the window shows."""
        return {"tags": [f"{value:g}"]}


class ShownBool(BoolOutput):
    """Yes or no."""

    def __init__(self, label: str) -> None:
        """Call it `label`."""
        super().__init__(label)
        self.kind = "tagged"

    def get_broadcast_data(self, value: bool) -> dict[str, list[str]]:
        """Return what the window shows."""
        return {"tags": ["yes" if value else "no"]}
