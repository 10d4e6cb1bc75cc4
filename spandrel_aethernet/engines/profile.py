"""The shapes an engine is built for, in the spelling of TensorRT's own tool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import EngineError
from ..shapes import Profile, Span
from .source import OnnxSource

_AXES = {"batch": 0, "height": 2, "width": 3}


@dataclass(frozen=True)
class Shapes:
    """Shapes such as `input:1x3x256x256` or `1x3x256x256`; None is the file's own, or the published one."""

    minimum: str | None = None
    usual: str | None = None
    maximum: str | None = None


def fit_profile(source: OnnxSource, given: Shapes) -> Profile:
    """Return the sizes for a file: what it fixes, what is given, its own profile, the published one.

    Raises `EngineError` for shapes that the file does not take, or that are not in order.
    """
    default = source.metadata.profile if source.metadata else Profile()
    parsed = {
        option: _parse(text, f"--{option}-shapes", source)
        for option, text in zip(("min", "opt", "max"), vars(given).values(), strict=True)
    }
    spans: dict[str, Span] = {}
    for axis, index in _AXES.items():
        size, own = source.sizes[index], getattr(default, axis)
        usual = Span(size, size, size) if size else own
        chosen = [shape[index] if shape else None for shape in parsed.values()]
        lowest, middle, highest = (
            one or other for one, other in zip(chosen, vars(usual).values(), strict=True)
        )
        if not lowest <= middle <= highest:
            raise EngineError(
                f"{axis} {lowest}:{middle}:{highest} is not in order: give --min-shapes, --opt-shapes and "
                "--max-shapes that grow"
            )
        spans[axis] = Span(lowest, middle, highest)
    return Profile(**spans)


def is_fixed(source: OnnxSource) -> bool:
    """Whether a file takes one shape only, which TensorRT then needs no profile for."""
    return None not in source.sizes


def as_lists(profile: Profile, channels: int) -> list[list[int]]:
    """Return the smallest, usual and largest N x C x H x W."""
    spans = (profile.batch, profile.height, profile.width)
    sizes = zip(*(vars(span).values() for span in spans), strict=True)
    return [[batch, channels, height, width] for batch, height, width in sizes]


def times(shape: Sequence[int]) -> str:
    """Write a shape as TensorRT's tool does: `1x3x256x256`."""
    return "x".join(map(str, shape))


def _parse(text: str | None, option: str, source: OnnxSource) -> tuple[int, ...] | None:
    """Read `NAME:NxCxHxW`, or `NxCxHxW` of the only input there is."""
    if text is None:
        return None
    name, _, sizes = text.rpartition(":")
    shape = tuple(int(size) if size.isdecimal() else 0 for size in sizes.lower().split("x"))
    if name not in ("", source.input_name) or len(shape) != 4 or not all(0 < size < 2**31 for size in shape):
        example = f"{source.input_name}:{times((1, source.channels, 256, 256))}"
        raise EngineError(
            f"{option} {text} is no shape for {source.path.name}: expected one such as {example}"
        )
    for index, (size, fixed) in enumerate(zip(shape, source.sizes, strict=True)):
        if fixed not in (None, size):
            what = ("batch", "channels", "height", "width")[index]
            raise EngineError(
                f"{option} {text} does not fit {source.path.name}: its {what} is {fixed}, not {size}"
            )
    return shape
