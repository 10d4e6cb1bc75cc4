"""One video through one model: what it makes, and that only the same model goes on with it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from av.container import open as open_container
from numpy.typing import NDArray

from spandrel_aethernet import Size, VideoOptions, upscale, upscale_video
from spandrel_aethernet.errors import OutputError
from spandrel_aethernet.images.resize import resized
from spandrel_aethernet.progress import Silent

from ..artifacts import TINY
from ..conftest import make_network
from .conftest import MakeClip

LOSSLESS = VideoOptions(codec="ffv1", pix_fmt="yuv444p", segment_frames=5)


def frames(path: Path) -> list[NDArray[Any]]:
    file = open_container(str(path), "r")
    with file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(file.streams.video[0])]


class Stopped(Silent):
    """Ends a run as Ctrl-C does, after some frames."""

    step, left = "", 13

    def begin(self, step: str, total: int, *, within: str | None = None) -> None:  # noqa: ARG002
        self.step = step

    def advance(self, step: str | None = None) -> None:  # noqa: ARG002
        self.left -= self.step == "frames"
        if not self.left:
            raise KeyboardInterrupt


def test_frames_are_what_the_model_makes_of_them(clip_of: MakeClip, tmp_path: Path) -> None:
    source, target = clip_of(frames=6, pixel_format="yuv444p"), tmp_path / "out.mkv"
    network, size = make_network(**TINY), Size(height=72)
    report = upscale_video(source, target, network, LOSSLESS, size=size, device="cpu")
    assert (report.frames, report.found) == (6, 0)
    made = frames(target)
    assert [frame.shape for frame in made] == [(72, 96, 3)] * 6
    for frame, given in zip(made, frames(source), strict=True):
        expected = resized(upscale(given, network, device="cpu"), 96, 72).astype(int)
        # FFmpeg's own conversion of the source, which `given` comes from, is 2 codes off.
        assert np.abs(frame - expected).mean() < 2
    with pytest.raises(OutputError, match=r"out\.mkv exists and is kept"):
        upscale_video(source, target, network, LOSSLESS, device="cpu")


@pytest.mark.parametrize("change", [{}, {"tile": 40, "overlap": 4}, {"dtype": "bfloat16"}, {"other": True}])
def test_only_the_same_model_and_options_go_on(
    change: dict[str, Any], clip_of: MakeClip, tmp_path: Path
) -> None:
    source, target = clip_of(frames=40, group=5), tmp_path / "out.mkv"
    network = make_network(**TINY)
    with suppress(KeyboardInterrupt):
        upscale_video(source, target, network, LOSSLESS, device="cpu", progress=Stopped())
    assert not target.exists()
    same = not change
    if change == {"other": True}:
        change = {}
        with torch.no_grad():
            network.get_parameter("conv_first.bias")[0] += 1
    arguments: dict[str, Any] = {"device": "cpu", **change}
    report = upscale_video(source, target, network, LOSSLESS, **arguments)
    assert (report.found > 0) == same
    assert report.frames == 40
    assert any("are of another job" in note for note in report.notes) != same
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]
