"""Originals to measure on, and the release that most tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..artifacts import Artifacts


@pytest.fixture(scope="session")
def images(artifacts: Artifacts) -> Path:
    """One small original."""
    return artifacts.images


@pytest.fixture(scope="session")
def release(artifacts: Artifacts) -> Path:
    """The shared release: read only."""
    return artifacts.release
