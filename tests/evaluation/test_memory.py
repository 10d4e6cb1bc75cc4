"""How much memory a process takes."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from spandrel_aethernet.evaluation.memory import forget_peak, memory


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell less")
def test_a_peak_is_told_and_forgotten() -> None:
    forget_peak()
    before = memory()
    assert before is not None
    assert 0 < before.now <= before.peak
    size = 2**26
    np.ones(size, np.uint8)
    after = memory()
    assert after is not None
    assert after.peak - before.now > 0.9 * size
    assert after.now < after.peak
    forget_peak()
    again = memory()
    assert again is not None
    assert again.peak < after.peak
