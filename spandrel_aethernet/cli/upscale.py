"""`aethernet upscale`: images, videos and folders of them, larger."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

from ..engines.build_plan import BuildOptions
from ..engines.profile import Shapes
from ..images.resize import Size
from ..inference.image_files import FileOptions, Outcome
from ..inference.jobs import Job, plan_jobs
from ..inference.open import check_can_run
from ..inference.tiling import check_tiles
from ..inference.watch import watched_jobs
from ..video.files import check_installed
from ..video.options import VideoOptions
from ..video.upscale import VideoJob
from ..workers.tasks import ModelSpec
from ..workers.team import Team, team_for
from ..workers.videos import upscale_videos_by
from .console import ERR
from .options import option_words
from .progress import Bars, bars
from .upscale_options import add_all

EXAMPLES = (
    "aethernet upscale photo.jpg -o photo_2x.png",
    "aethernet upscale photos/ -o larger/ -m aether_small_2x.pth --format webp",
    "aethernet upscale photos/ -o larger/ --width 3840 --if-newer -j 2:4",
    "aethernet upscale scan.tif -o scan_2x.tif --tile 256 --overlap 88 --device cpu",
    "aethernet upscale clip.mkv -o clip_2x.mkv --codec libx265 --crf 18 --preset slow",
    "aethernet upscale incoming/ -o larger/ --watch",
    "aethernet upscale photos/ -o larger/ -m aether_small_2x_fp32.onnx --provider cuda",
    "aethernet upscale photos/ -o larger/ -m aether_small_2x_fp16_int8.engine",
    "aethernet upscale photos/ -o larger/ --device cuda:0,cuda:1",
    "aethernet upscale /shared/photos/ -o /shared/larger/ -m /shared/aether_small_2x.pth --ray head:6379",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_all(parser)


def run(arguments: argparse.Namespace) -> int:
    """Upscale every file; one that fails does not stop the rest, and what exists is skipped."""
    if arguments.tile is not None and arguments.overlap is not None:
        check_tiles(arguments.tile, arguments.overlap)
    options = _options(arguments)
    if arguments.ray is None:
        check_can_run([arguments.model], arguments.backend)
    jobs = plan_jobs(arguments.inputs, arguments.output, format_name=arguments.format)
    if any(job.is_video for job in jobs):
        check_installed()
    targets = [job.target for job in jobs]
    outcomes: list[Outcome] = []
    with (
        bars() as progress,
        team_for(
            _spec(arguments),
            workers=arguments.workers,
            ray=arguments.ray,
            outputs=targets,
            progress=progress,
        ) as team,
    ):
        progress.note(team.about.description)
        try:
            for some in _found(arguments, jobs):
                outcomes += _run_jobs(some, team, options, arguments, progress)
        except KeyboardInterrupt:
            if not arguments.watch:
                raise
    ERR.print(_summary(outcomes))
    return 1 if any(outcome.state == "failed" for outcome in outcomes) else 0


def _found(arguments: argparse.Namespace, jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    """Yield what is to be upscaled: all there is, or without end what appears."""
    if arguments.watch:
        return watched_jobs(arguments.inputs, arguments.output, format_name=arguments.format)
    return iter([jobs])


def _spec(arguments: argparse.Namespace) -> ModelSpec:
    shapes = Shapes(arguments.min_shapes, arguments.opt_shapes, arguments.max_shapes)
    return ModelSpec(
        arguments.model,
        backend=arguments.backend,
        device=arguments.device,
        dtype=arguments.dtype,
        weights=arguments.weights,
        provider=arguments.provider,
        trust=arguments.trust,
        build=None if shapes == Shapes() else BuildOptions(shapes=shapes),
        precision=arguments.precision,
        compile=arguments.compile and (arguments.tile or True),
    )


def _options(arguments: argparse.Namespace) -> FileOptions:
    wanted = Size(arguments.width, arguments.height, arguments.scale)
    if wanted != Size():
        wanted.of(1, 1)  # what is wrong with it is wrong for all images
    return FileOptions(
        tile=arguments.tile,
        overlap=arguments.overlap,
        size=None if wanted == Size() else wanted,
        force=arguments.force,
        if_newer=arguments.if_newer,
    )


def _run_jobs(
    jobs: Sequence[Job], team: Team, options: FileOptions, arguments: argparse.Namespace, progress: Bars
) -> list[Outcome]:
    """Return what became of the files, in their order, and tell of each."""
    outcomes: dict[Job, Outcome] = {}
    progress.begin("files", len(jobs))
    images = [job for job in jobs if not job.is_video]
    inside = progress.inside("files")
    with (
        closing(team.upscale(images, options, threads=arguments.jobs, progress=inside)) as larger,
        closing(_videos([job for job in jobs if job.is_video], team, options, arguments, progress)) as clips,
    ):
        for running in (larger, clips):
            for outcome in running:
                outcomes[outcome.job] = outcome
                progress.advance("files")
                if outcome.state == "written":
                    progress.note(f"{outcome.job.source} -> {outcome.job.target}")
                elif outcome.message is not None and arguments.watch:
                    progress.note(f"failed: {outcome.message.text(option_words)}")
    in_order = [outcomes[job] for job in jobs]
    for outcome in in_order:
        if outcome.message is not None and not arguments.watch:
            progress.note(f"failed: {outcome.message.text(option_words)}")
    return in_order


def _videos(
    jobs: Sequence[Job], team: Team, options: FileOptions, arguments: argparse.Namespace, progress: Bars
) -> Generator[Outcome]:
    """Upscale videos one after another; Ctrl-C tells where the next run goes on."""
    video = VideoOptions(
        codec=arguments.codec,
        crf=arguments.crf,
        preset=arguments.preset,
        pix_fmt=arguments.pix_fmt,
        encoder_options=tuple(arguments.encoder_option),
    )
    begun: list[VideoJob] = []

    def begin(job: VideoJob) -> None:
        begun[:] = [job]
        for note in job.notes:
            progress.note(f"note: {note}")

    try:
        yield from upscale_videos_by(
            team,
            jobs,
            options,
            model=arguments.model,
            video=video,
            progress=progress.inside("files"),
            on_job=begin,
            on_note=lambda note: progress.note(f"note: {note}"),
        )
    except KeyboardInterrupt:
        for job in begun:
            progress.note(job.goes_on)
        raise


def _summary(outcomes: Sequence[Outcome]) -> str:
    counts = Counter(outcome.state for outcome in outcomes)
    text = f"{counts['written']} of {len(outcomes)} written"
    for state, why in (("skipped", " (already there)"), ("failed", "")):
        if counts[state]:
            text += f", {counts[state]} {state}{why}"
    return text
