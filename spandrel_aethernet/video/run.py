"""One video through one model."""

from __future__ import annotations

from pathlib import Path

from ..images.resize import Size
from ..inference.frames import FrameOptions, Frames
from ..inference.identity import identity_of
from ..inference.upscale import Model, as_backend
from ..progress import SILENT, Progress
from .options import VideoOptions
from .upscale import VideoReport, enlarge_video


def upscale_video(
    source: str | Path,
    target: str | Path,
    model: Model,
    options: VideoOptions | None = None,
    *,
    size: Size | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust: bool = False,
    force: bool = False,
    progress: Progress = SILENT,
) -> VideoReport:
    """Enlarge a video by a model, and keep all else of it; see docs/video.md for what is kept and how.

        upscale_video("clip.mkv", "clip_2x.mkv", "aether_small_2x.pth", VideoOptions(crf=20))

    `model`, `tile`, `overlap`, `device`, `dtype` and `trust` are as for `upscale`; `size` is asked for in
    place of the network's scale, `options` tells how it is encoded. A run that ends before its time leaves
    finished segments in a folder beside the target; with the same arguments the next one goes on. `progress`
    is told as by `enlarge_video`. Raises what `upscale` does for its arguments, `VideoError` for a video that
    cannot be read, or not be encoded as asked, and `OutputError` for the target.
    """
    backend = as_backend(model, device, dtype, trust=trust)
    frames = FrameOptions(tile, overlap, size)
    return enlarge_video(
        Path(source),
        Path(target),
        Frames(backend, frames),
        scale=backend.scale,
        size=lambda width, height: frames.size_of(width, height, backend.scale, even=True),
        options=options,
        model_identity=f"{identity_of(model, backend)} {frames}",
        force=force,
        progress=progress,
    )
