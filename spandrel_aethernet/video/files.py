"""Video files one after another, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

from ..errors import AetherError, missing_extras
from ..inference.image_files import FileOptions, Outcome, is_skipped, replaces
from ..inference.jobs import Job
from ..progress import SILENT, Progress
from .options import VideoOptions
from .segments import Upscaled
from .upscale import RunSegments, VideoJob, make, prepare


def check_installed() -> None:
    """Raise `MissingPackageError` if what reads videos is not installed."""
    with missing_extras():
        import av  # noqa: F401  # pyright: ignore[reportUnusedImport]


def upscale_videos(
    jobs: Iterable[Job],
    upscaled: Upscaled,
    options: FileOptions,
    *,
    scale: int,
    video: VideoOptions | None = None,
    model_identity: str = "",
    progress: Progress = SILENT,
    run_segments: RunSegments | None = None,
    on_job: Callable[[VideoJob], object] = lambda _: None,
    on_note: Callable[[str], object] = lambda _: None,
) -> Generator[Outcome]:
    """Upscale videos, and tell in their order what became of each; one that fails does not stop the rest.

    What exists is skipped as `upscale_files` does; for all else see `enlarge_video`. `on_job` is called with
    each job before its work begins, `on_note` with what is to be said of it afterwards.
    """
    for job in jobs:
        if is_skipped(job, options):
            yield Outcome(job, "skipped")
            continue
        force = replaces(job, options)
        try:
            prepared = prepare(
                job.source,
                job.target,
                scale=scale,
                size=lambda width, height: options.size_of(width, height, scale, even=True),
                options=video,
                model_identity=model_identity,
                force=force,
                progress=progress,
            )
            on_job(prepared)
            report = make(prepared, upscaled, force=force, progress=progress, run_segments=run_segments)
        except AetherError as error:
            yield Outcome(job, "failed", error.message)
            continue
        for note in report.notes[len(prepared.notes) :]:
            on_note(note)
        yield Outcome(job, "written")
