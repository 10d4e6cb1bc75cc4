"""How much memory a large photograph takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spandrel_aethernet.data import original
from spandrel_aethernet.images.files import Picture, read_picture, write_picture

from ..conftest import make_network


@pytest.mark.release
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read the way Linux reports it")
def test_a_12_megapixel_photograph_stays_under_3_gb(tmp_path: Path) -> None:
    """As wide as aether_small, with one block of its sixteen: what is in memory at once is the same."""
    source, out, model = tmp_path / "large.jpg", tmp_path / "out.png", tmp_path / "model.pth"
    torch.save(make_network(embed_dim=96, depths=(1,), lk_kernel=11).state_dict(), model)
    pixels = np.tile(read_picture(original("astronaut")).pixels, (6, 8, 1))[:3000, :4000]
    write_picture(Picture(pixels), source)
    code = (
        "import resource, sys\n"
        "from spandrel_aethernet.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        "sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "upscale", str(source), "-o", str(out), "-m", str(model)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) * 1024 < 3e9
    assert read_picture(out).pixels.shape == (6000, 8000, 3)
