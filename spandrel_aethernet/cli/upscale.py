"""`aethernet upscale`: image files and folders, larger."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from ..images.resize import Size
from ..inference.image_files import FileOptions, Outcome
from ..inference.jobs import Job, plan_jobs
from ..inference.open import check_can_run
from ..inference.tiling import check_tiles
from ..workers.tasks import ModelSpec
from ..workers.team import Team, team_for
from .console import ERR
from .options import option_words
from .progress import Bars, bars
from .upscale_options import add_all

EXAMPLES = (
    "aethernet upscale photo.jpg -o photo_2x.png",
    "aethernet upscale photos/ -o larger/ -m aether_small_2x.pth --format webp",
    "aethernet upscale photos/ -o larger/ --width 3840 --if-newer -j 2:4",
    "aethernet upscale scan.tif -o scan_2x.tif --tile 256 --overlap 88 --device cpu",
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
    spec = ModelSpec(
        arguments.model,
        backend=arguments.backend,
        device=arguments.device,
        dtype=arguments.dtype,
        weights=arguments.weights,
        provider=arguments.provider,
        trust=arguments.trust,
    )
    targets = [job.target for job in jobs]
    with (
        bars() as progress,
        team_for(
            spec, workers=arguments.workers, ray=arguments.ray, outputs=targets, progress=progress
        ) as team,
    ):
        progress.note(team.about.description)
        outcomes = _run_jobs(jobs, team, options, arguments, progress)
    for outcome in outcomes:
        if outcome.message is not None:
            ERR.print(f"failed: {outcome.message.text(option_words)}")
    ERR.print(_summary(outcomes))
    return 1 if any(outcome.state == "failed" for outcome in outcomes) else 0


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
    """Return what became of the files, in their order."""
    outcomes: dict[Job, Outcome] = {}
    progress.begin("files", len(jobs))
    inside = progress.inside("files")
    with closing(team.upscale(jobs, options, threads=arguments.jobs, progress=inside)) as running:
        for outcome in running:
            outcomes[outcome.job] = outcome
            if outcome.state == "written":
                progress.note(f"{outcome.job.source} -> {outcome.job.target}")
            progress.advance("files")
    return [outcomes[job] for job in jobs]


def _summary(outcomes: Sequence[Outcome]) -> str:
    counts = Counter(outcome.state for outcome in outcomes)
    text = f"{counts['written']} of {len(outcomes)} written"
    for state, why in (("skipped", " (already there)"), ("failed", "")):
        if counts[state]:
            text += f", {counts[state]} {state}{why}"
    return text
