# SPDX-License-Identifier: GPL-3.0-or-later
# chaiNNer's type expressions (backend/src/navi.py).
from typing import Any, TypeAlias

ExpressionJson: TypeAlias = str | int | bool | dict[str, Any] | list[Any]

def named(name: str, fields: dict[str, ExpressionJson] | None = ...) -> ExpressionJson: ...
def literal(value: str | int | float) -> ExpressionJson: ...
