"""Originals to measure on."""

from __future__ import annotations

from pathlib import Path

import pytest

from spandrel_aethernet.images.files import Picture, write_picture

from ..images.pictures import photograph


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small original."""
    folder = tmp_path_factory.mktemp("photos")
    write_picture(Picture(photograph(64, 80)), folder / "photo.png")
    return folder
