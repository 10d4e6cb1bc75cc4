"""What each operator costs when it alone is INT8, and with which range it costs least."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import torch
from torch import Tensor, nn

from ..onnx_model.metadata import CALIBRATED
from ..progress import SILENT, Progress
from .crops import Loss, Pairs, decibels, outputs, qualities
from .scales import OpScales
from .simulate import simulate

_CLIPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Parts of a calibrated range that a scale may span: what lies outside is cut, what is inside gets finer."""


@dataclass(frozen=True)
class Candidate:
    """Operators that read one tensor and so are INT8 together or not at all."""

    scales: Sequence[OpScales]
    loss: float
    """dB lost by them alone."""
    noise: float
    """PSNR in dB of the output with them in INT8 against the output without."""
    share: float
    """Of the arithmetic of all candidates."""
    clip: float

    @property
    def price(self) -> float:
        """The mean squared error that they bring, for their share of the arithmetic."""
        return 10 ** (-self.noise / 10) / self.share


def candidates(
    network: nn.Module, scales: Sequence[OpScales], pairs: Pairs, *, progress: Progress = SILENT
) -> list[Candidate]:
    """Measure the operators of a deployed network, float32, the cheapest first (see `Candidate.price`).

    Those that read one tensor are one candidate. An input whose range was calibrated spans that part of it
    which rounds the input with the least error, unless the output says otherwise. Outputs that are to be
    int8 get their scale here.
    """
    groups = [list(group) for _, group in groupby(scales, lambda entry: entry.op.point)]
    progress.begin("sensitivity", len(groups))
    clips = _watch(network, scales, pairs)
    plain = outputs(network, pairs)
    weights = [sum(network.get_parameter(f"{e.op.module}.weight").numel() for e in group) for group in groups]
    found: list[Candidate] = []
    for group, weight in zip(groups, weights, strict=True):
        progress.poll()
        chosen = [replace(entry, output_scale=clips.outputs.get(entry.op.module)) for entry in group]
        measured = partial(_measured, network, plain=plain, pairs=pairs, share=weight / sum(weights))
        best = measured(chosen, clip=1.0)
        clip = clips.inputs[group[0].op.module]
        if clip < 1:
            cut = [replace(entry, input_scale=entry.input_scale * clip) for entry in chosen]
            best = max(best, measured(cut, clip=clip), key=lambda one: one.noise)
        found.append(best)
        progress.advance()
    return sorted(found, key=lambda one: one.price)


def _measured(
    network: nn.Module,
    scales: Sequence[OpScales],
    *,
    plain: Sequence[Tensor],
    pairs: Pairs,
    share: float,
    clip: float,
) -> Candidate:
    made = outputs(simulate(network, scales), pairs)
    noise = sum(decibels(one, other) for one, other in zip(made, plain, strict=True)) / len(made)
    lost = Loss.between(qualities(plain, pairs), qualities(made, pairs))
    return Candidate(scales, lost.mean, noise, share, clip)


class _Clips:
    """Errors of rounding each input with each clip, and the scale of each output."""

    def __init__(self, scales: Sequence[OpScales]) -> None:
        self.errors = {entry.op.module: [0.0] * len(_CLIPS) for entry in scales}
        self.outputs: dict[str, float] = {}

    @property
    def inputs(self) -> dict[str, float]:
        """The best clip of each operator's input."""
        return {name: _CLIPS[errors.index(min(errors))] for name, errors in self.errors.items()}


def _watch(network: nn.Module, scales: Sequence[OpScales], pairs: Pairs) -> _Clips:
    clips = _Clips(scales)
    with _hooks(network, scales, clips), torch.inference_mode():
        for low, _ in pairs:
            network(low)
    return clips


@contextmanager
def _hooks(network: nn.Module, scales: Sequence[OpScales], clips: _Clips) -> Generator[None]:
    def reads(entry: OpScales) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            errors = clips.errors[entry.op.module]
            for place, clip in enumerate(_CLIPS):
                scale = entry.input_scale * clip
                rounded = torch.fake_quantize_per_tensor_affine(inputs[0], scale, 0, -128, 127)
                errors[place] += float((rounded - inputs[0]).square().mean())

        return hook

    def makes(entry: OpScales) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            scale, name = float(output.abs().max()) / 127, entry.op.module
            clips.outputs[name] = max(clips.outputs.get(name, 1e-12), scale)

        return hook

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for entry in scales:
        module = network.get_submodule(entry.op.module)
        if entry.input_source == CALIBRATED:
            handles.append(module.register_forward_pre_hook(reads(entry)))
        if entry.op.output:
            handles.append(module.register_forward_hook(makes(entry)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
