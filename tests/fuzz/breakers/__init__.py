"""Every file that ever broke something: what makes it, and what must be said of it now."""

from __future__ import annotations

from collections.abc import Mapping

from . import archives, checkpoints, models, others, pickles
from .breaker import Breaker

BREAKERS: Mapping[str, Breaker] = {
    **archives.BREAKERS,
    **pickles.BREAKERS,
    **checkpoints.BREAKERS,
    **models.BREAKERS,
    **others.BREAKERS,
}
