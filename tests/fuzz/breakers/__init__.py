"""Every file that ever broke something: what makes it, and what must be said of it now."""

from __future__ import annotations

from collections.abc import Mapping

from . import checkpoints, models, others
from .breaker import Breaker

BREAKERS: Mapping[str, Breaker] = {**checkpoints.BREAKERS, **models.BREAKERS, **others.BREAKERS}
