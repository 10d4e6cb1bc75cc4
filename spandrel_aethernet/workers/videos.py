"""Videos by a team: their segments are dealt out, and joined here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import VideoError
from ..files import sha256
from ..inference.backend import Backend
from ..inference.frames import FrameOptions, Frames
from ..inference.image_files import FileOptions, Outcome
from ..inference.jobs import Job
from ..progress import SILENT, Progress
from ..video.files import upscale_videos
from ..video.options import Encoding, VideoOptions
from ..video.probe import VideoInfo
from ..video.segments import Segment, upscale_segment
from ..video.upscale import VideoJob

if TYPE_CHECKING:
    from .team import Team


@dataclass(frozen=True)
class SegmentTask:
    """One segment of a video."""

    segment: Segment
    info: VideoInfo
    encoding: Encoding
    options: FrameOptions

    def run(self, backend: Backend) -> list[int]:
        """Make its file and return how many frames are in it; raises as `upscale_segment` does."""
        if self.segment.target.is_file():  # by a worker that died before it could tell
            return [self.segment.frames]
        return [upscale_segment(self.segment, self.info, self.encoding, Frames(backend, self.options))]

    def parts(self) -> Sequence[SegmentTask]:
        """Return itself: a segment is done whole or not at all."""
        return [self]

    def failed(self, why: str) -> list[int]:
        """Raise `VideoError`: a video that lacks a segment cannot be joined."""
        raise VideoError(f"{self.info.path}: {why}")


def upscale_videos_by(
    team: Team,
    jobs: Sequence[Job],
    options: FileOptions,
    *,
    model: Path,
    video: VideoOptions | None = None,
    progress: Progress = SILENT,
    on_job: Callable[[VideoJob], object] = lambda _: None,
    on_note: Callable[[str], object] = lambda _: None,
) -> Generator[Outcome]:
    """Upscale videos as `upscale_videos` does; a team of more than one makes several segments at once.

    `model` is the file that the team has loaded.
    """
    options = team.settled(options)

    def run_segments(job: VideoJob, segments: Sequence[Segment], progress: Progress) -> None:
        tasks = [SegmentTask(segment, job.info, job.encoding, options) for segment in segments]
        for frames in team.run(tasks, progress=progress):
            for _ in range(frames):
                progress.advance("frames")

    alone = team.backend
    outcomes = upscale_videos(
        [job._replace(source=job.source.absolute(), target=job.target.absolute()) for job in jobs],
        iter if alone is None else Frames(alone, options),
        options,
        scale=team.about.scale,
        video=video,
        model_identity=f"{sha256(model)} {team.about.precision} {options.tile} {options.overlap}",
        progress=progress,
        run_segments=run_segments if alone is None else None,
        on_job=on_job,
        on_note=on_note,
    )
    with closing(outcomes):
        for job, outcome in zip(jobs, outcomes, strict=True):
            yield outcome._replace(job=job)
