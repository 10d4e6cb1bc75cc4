"""The shapes an engine is built for."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import EngineError, Hint
from ..shapes import Profile, Range, shape_text
from .source import OnnxSource

_AXES = {"batch": 0, "height": 2, "width": 3}


@dataclass(frozen=True)
class Shapes:
    """Shapes such as `input:1x3x256x256` or `1x3x256x256`; None is the file's own, or the published one."""

    min: str | None = None
    opt: str | None = None
    max: str | None = None


def fit_profile(source: OnnxSource, given: Shapes) -> Profile:
    """Return the sizes for a model: what it fixes, what is given, its own profile, the published one.

    Raises `EngineError` for shapes that the model does not take, or that are not in order.
    """
    default = source.metadata.profile if source.metadata else Profile()
    parsed = [_parse(text, which, source) for which, text in vars(given).items()]
    ranges: dict[str, Range] = {}
    for axis, index in _AXES.items():
        size, own = source.sizes[index], getattr(default, axis)
        known = Range.only(size) if size else own
        chosen = [shape[index] if shape else None for shape in parsed]
        sizes = [one or other for one, other in zip(chosen, vars(known).values(), strict=True)]
        if sizes != sorted(sizes):
            raise EngineError(
                f"{axis} {':'.join(map(str, sizes))} is not in order",
                Hint("give {min_shapes}, {opt_shapes} and {max_shapes} that grow"),
            )
        ranges[axis] = Range(*sizes)
    return Profile(**ranges)


def is_fixed(source: OnnxSource) -> bool:
    """Whether a model takes one shape only, which TensorRT then needs no profile for."""
    return None not in source.sizes


def _parse(text: str | None, which: str, source: OnnxSource) -> tuple[int, ...] | None:
    """Read `NAME:NxCxHxW`, or `NxCxHxW` of the only input there is."""
    if text is None:
        return None
    name, _, sizes = text.rpartition(":")
    shape = tuple(int(size) if size.isdecimal() else 0 for size in sizes.lower().split("x"))
    if name not in ("", source.input_name) or len(shape) != 4 or not all(0 < size < 2**31 for size in shape):
        example = f"{source.input_name}:{shape_text((1, source.channels, 256, 256), 'x')}"
        argument = f"{which}_shapes"
        raise EngineError(
            f"{text} is no {which} shape for {source.name}",
            Hint(f"give one such as {{{argument}}}", **{argument: example}),
        )
    for index, (size, fixed) in enumerate(zip(shape, source.sizes, strict=True)):
        if fixed not in (None, size):
            what = ("batch", "channels", "height", "width")[index]
            raise EngineError(
                f"the {which} shape {text} does not fit {source.name}: its {what} is {fixed}, not {size}"
            )
    return shape
