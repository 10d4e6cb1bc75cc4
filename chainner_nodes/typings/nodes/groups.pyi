# SPDX-License-Identifier: GPL-3.0-or-later
from collections.abc import Callable, Sequence
from enum import Enum

import navi
from api import NestedGroup

class Condition:
    @staticmethod
    def type(input_id: int, condition: navi.ExpressionJson, if_not_connected: bool = ...) -> Condition: ...

def if_group(condition: Condition) -> Callable[..., NestedGroup]: ...
def if_enum_group(enum: int, condition: Enum | Sequence[Enum]) -> Callable[..., NestedGroup]: ...
