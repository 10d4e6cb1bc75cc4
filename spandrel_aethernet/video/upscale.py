"""A video enlarged from beginning to end: made ready, its segments one by one, and joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputError
from ..files import check_target
from ..partials import remove
from ..progress import SILENT, Progress
from .folder import alone, begin, describe_job, folder_of
from .join import check_container, join
from .options import Encoding, VideoOptions, plan_encoding
from .probe import VideoInfo, probe
from .segments import Segment, Upscaled, plan_segments, upscale_segment

RunSegments = Callable[["VideoJob", Sequence[Segment], Progress], None]
"""Makes the files of segments, in any order and by any process, and advances a step once a frame."""
SizeOf = Callable[[int, int], tuple[int, int]]
"""Width and height of what a frame of some width and height becomes."""


@dataclass(frozen=True)
class VideoJob:
    """A video and what it becomes, all decided; it can be pickled."""

    target: Path
    folder: Path
    """Where its segments lie until they are joined."""
    info: VideoInfo
    encoding: Encoding
    segments: tuple[Segment, ...]
    identity: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    """Sentences for the user, before work begins."""

    def missing(self) -> list[Segment]:
        """Return the segments that are still to be made."""
        return [segment for segment in self.segments if not segment.target.is_file()]

    @property
    def goes_on(self) -> str:
        """What to tell a user whose run ends before its time."""
        return f"what is finished lies in {self.folder}: the same command goes on from there"


@dataclass(frozen=True)
class VideoReport:
    """What was made."""

    target: Path
    frames: int
    found: int
    """Frames of them that a former run had made."""
    notes: tuple[str, ...]


def prepare(
    source: Path,
    target: Path,
    *,
    scale: int,
    size: SizeOf | None = None,
    options: VideoOptions | None = None,
    model_identity: str = "",
    force: bool = False,
    progress: Progress = SILENT,
) -> VideoJob:
    """Read a video's packets and decide all that can be decided before the network runs; nothing is written.

    `size` tells the enlarged frames' width and height if they are not `scale` times the source's;
    `model_identity` tells apart whatever makes other frames: a former run's segments are used only if it is
    the same. Raises `OutputError` for a target that exists without `force`, that is the source or is not
    named like a video; `VideoError` and `MissingPackageError` as `probe`, `plan_encoding` and
    `check_container` do.
    """
    options = options or VideoOptions()
    check_target(target, force=force)
    if target.resolve() == source.resolve():
        raise OutputError(f"{target} would replace its own source: choose another folder or name")
    info = probe(source, progress=progress)
    width, height = info.width, info.height
    larger = size(width, height) if size else (width * scale, height * scale)
    encoding, notes = plan_encoding(info, target, options, larger)
    notes += check_container(info, encoding, target)
    folder = folder_of(target)
    least = max(1, options.segment_frames)
    identity = describe_job(info, encoding, f"{model_identity} {scale}x", least=least)
    segments = plan_segments(info, folder, least=least)
    return VideoJob(
        target, folder, info, encoding, tuple(segments), tuple(identity.items()), (*info.notes, *notes)
    )


def enlarge_video(
    source: Path,
    target: Path,
    upscaled: Upscaled,
    *,
    scale: int,
    size: SizeOf | None = None,
    options: VideoOptions | None = None,
    model_identity: str = "",
    force: bool = False,
    progress: Progress = SILENT,
    run_segments: RunSegments | None = None,
) -> VideoReport:
    """Enlarge a video; see `prepare` for the arguments, and for what is refused before any work.

    Frames' times, and all other streams, chapters, tags, rotation and aspect ratio are the source's. Segments
    are written to a folder beside the target; a run that ends before its time leaves them, and the next with
    the same arguments goes on. `run_segments` makes them instead of this process, and `upscaled` is not used
    then. `progress` begins the steps `reading` (100), `frames` (those still to be made) and `joining`
    (segments).

    Raises besides what `upscale_segment` and `join` do, and `OutputError` if another run makes the target.
    """
    job = prepare(
        source,
        target,
        scale=scale,
        size=size,
        options=options,
        model_identity=model_identity,
        force=force,
        progress=progress,
    )
    return make(job, upscaled, force=force, progress=progress, run_segments=run_segments)


def make(
    job: VideoJob,
    upscaled: Upscaled,
    *,
    force: bool = False,
    progress: Progress = SILENT,
    run_segments: RunSegments | None = None,
) -> VideoReport:
    """Do what `prepare` decided; see `enlarge_video`."""
    with ExitStack() as stack:
        stack.enter_context(alone(job.folder))
        told = begin(job.folder, dict(job.identity))
        missing = job.missing()
        to_make = sum(segment.frames for segment in missing)
        progress.begin("frames", to_make)
        if run_segments is not None:
            run_segments(job, missing, progress)
        else:
            for segment in missing:
                upscale_segment(segment, job.info, job.encoding, upscaled, progress=progress)
        frames = join(job.info, job.encoding, job.segments, job.target, force=force, progress=progress)
    remove(job.folder)
    notes = [*job.notes, *([told] if told else [])]
    lost = len(job.info.times) - frames
    if lost > 0:
        notes.append(f"{lost} of {len(job.info.times)} frames could not be decoded and are left out")
    return VideoReport(job.target, frames, len(job.info.times) - to_make, tuple(notes))
