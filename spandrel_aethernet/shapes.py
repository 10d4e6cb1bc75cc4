"""Which shapes an exported network is meant for."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import AetherError


@dataclass(frozen=True)
class Span:
    """The smallest, usual and largest size of one axis."""

    minimum: int
    usual: int
    maximum: int

    @classmethod
    def parse(cls, text: str, axis: str) -> Span:
        """Read `MIN:OPT:MAX`, or one number for all three. Raises `AetherError`."""
        try:
            sizes = [int(part) for part in text.split(":")]
        except ValueError:
            sizes = []
        if len(sizes) == 1:
            sizes *= 3
        if len(sizes) != 3 or not 1 <= sizes[0] <= sizes[1] <= sizes[2]:
            raise AetherError(
                f"{axis} {text!r} is no profile: expected MIN:OPT:MAX with 1 <= MIN <= OPT <= MAX, "
                "such as 32:256:1080"
            )
        return cls(*sizes)

    @property
    def fixed(self) -> bool:
        """Whether only one size is allowed."""
        return self.minimum == self.maximum

    def __str__(self) -> str:
        return f"{self.minimum}:{self.usual}:{self.maximum}"


@dataclass(frozen=True)
class Profile:
    """Batch, height and width of the input; the published ones by default."""

    batch: Span = Span(1, 1, 16)
    height: Span = Span(32, 256, 1080)
    width: Span = Span(32, 256, 1920)

    def axes(self) -> dict[str, Span]:
        """Return name and span of each axis that may vary."""
        return {name: span for name, span in vars(self).items() if not span.fixed}
