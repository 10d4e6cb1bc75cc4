"""Scales for every quantised operator: learned where training left a range, else measured on images."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..model.ranges import TrainedRanges
from .deploy import Product
from .int8_ops import QuantisedOp, on_grid

_STEPS = 127
"""Positive steps of a symmetric int8 activation."""
_SIDE = 128
"""How many pixels of each side of an image calibration looks at."""


@dataclass(frozen=True)
class OpScales:
    """The int8 steps of one operator."""

    op: QuantisedOp
    input_scale: float
    input_source: str
    """`learned` or `calibrated`."""
    weight_scale: Tensor
    """One step per output channel, shape (C), float32."""
    weight_axis: int
    """The axis of the weight that holds output channels: 0 for a Conv, 1 for a product laid out (in, out)."""

    def as_stored(self, dtype: torch.dtype) -> OpScales:
        """Return the steps as a file holds them whose float type is `dtype`: rounded, but never to 0."""
        least = torch.finfo(dtype).smallest_normal
        given = torch.cat([torch.tensor([self.input_scale]), self.weight_scale])
        stored = given.clamp_min(least).to(dtype).float()
        return replace(self, input_scale=float(stored[0]), weight_scale=stored[1:])


def find_scales(
    network: nn.Module,
    ops: Sequence[QuantisedOp],
    ranges: TrainedRanges | None,
    images: Iterable[Tensor],
    *,
    on_image: Callable[[], object] = lambda: None,
) -> list[OpScales]:
    """Return the scales of `ops`, which name modules of `network` (a `deployable` one, float32).

    A range that training left wins, then one of an earlier calibration. For the rest, `images` (1 x C x H x
    W, values 0..1) run through the network and the largest magnitude of each input is taken; none run if
    nothing is left to measure.
    """
    known = {op.module: learned_input(op, ranges) for op in ops}
    calibrated = dict(ranges.calibrated_inputs) if ranges else {}
    unknown = [name for name, learned in known.items() if learned is None and name not in calibrated]
    if unknown:
        with watched_inputs(network, unknown) as measured, torch.inference_mode():
            for image in images:
                network(image)
                on_image()
        calibrated |= measured
    scales: list[OpScales] = []
    for op in ops:
        learned = known[op.module]
        largest = calibrated[op.module] if learned is None else learned
        axis = 1 if isinstance(network.get_submodule(op.module), Product) else 0
        scales.append(
            OpScales(
                op,
                (largest or 1.0) / _STEPS,
                "calibrated" if learned is None else "learned",
                _weight_scale(_weight(network, op.module), axis, op, ranges),
                axis,
            )
        )
    return scales


def learned_input(op: QuantisedOp, ranges: TrainedRanges | None) -> float | None:
    """Return the largest magnitude that training saw at the input of an operator; None if it did not look."""
    span = ranges.activations.get(op.learned_input or "") if ranges else None
    return max(abs(span.minimum), abs(span.maximum)) if span else None


def _weight_scale(weight: Tensor, axis: int, op: QuantisedOp, ranges: TrainedRanges | None) -> Tensor:
    if ranges and on_grid(op, ranges):
        return torch.tensor([step for module in op.learned_weights for step in ranges.weight_scales[module]])
    others = [dim for dim in range(weight.ndim) if dim != axis]
    scale = weight.abs().amax(dim=others) / _STEPS
    return torch.where(scale > 0, scale, torch.ones_like(scale))


def middle(length: int) -> slice:
    """Return the part of an image's side that calibration looks at."""
    start = max(0, (length - _SIDE) // 2)
    return slice(start, start + _SIDE)


@contextmanager
def watched_inputs(network: nn.Module, modules: Sequence[str]) -> Generator[dict[str, float]]:
    """Yield the largest magnitude at the input of each module, which grows as the network runs."""
    largest = dict.fromkeys(modules, 0.0)

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            largest[name] = max(largest[name], float(inputs[0].abs().max()))

        return hook

    handles = [network.get_submodule(name).register_forward_pre_hook(watch(name)) for name in modules]
    try:
        yield largest
    finally:
        for handle in handles:
            handle.remove()


def _weight(network: nn.Module, module: str) -> Tensor:
    return network.get_parameter(f"{module}.weight").detach()
