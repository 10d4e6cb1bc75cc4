# SPDX-License-Identifier: GPL-3.0-or-later
from collections.abc import Sequence
from dataclasses import dataclass

@dataclass
class NvDevice:
    index: int
    name: str

class NvInfo:
    @property
    def devices(self) -> Sequence[NvDevice]: ...
    @property
    def is_available(self) -> bool: ...

nvidia: NvInfo
