"""The numbers a network computes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .errors import check_choice

FloatType: TypeAlias = Literal["fp32", "fp16", "bf16"]


@dataclass(frozen=True)
class Precision:
    """The float type of a model, its input and output, and whether Q/DQ nodes make it INT8.

    >>> Precision.parse("fp16-int8").float_type
    'fp16'
    """

    float_type: FloatType
    int8: bool = False

    @classmethod
    def parse(cls, given: str | Precision) -> Precision:
        """Return what `fp32`, `fp16`, `fp32-int8` or `fp16-int8` stands for.

        Raises `ArgumentError` for anything else, bfloat16 included, in which nothing is exported.
        """
        check_choice("precision", str(given), [str(precision) for precision in EXPORTED])
        return next(precision for precision in EXPORTED if str(precision) == str(given))

    @property
    def file_stem(self) -> str:
        """How files of this precision end before their suffix, such as `fp32_int8`."""
        return str(self).replace("-", "_")

    def __str__(self) -> str:
        return f"{self.float_type}-int8" if self.int8 else self.float_type


EXPORTED = (Precision("fp32"), Precision("fp16"), Precision("fp32", int8=True), Precision("fp16", int8=True))
"""What a checkpoint can be exported in."""
