"""The folder beside a target in which its segments lie until they are joined."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from ..errors import OutputError, VideoError
from ..files import replacing
from ..gate.files import read_file
from ..partials import is_partial, remove
from .options import Encoding
from .probe import VideoInfo
from .segments import SUFFIX

Job = Mapping[str, str]
"""What a folder's segments are of, as texts: other segments do not go with them if one differs."""

MANIFEST, _LOCK = "job.json", "lock"
_SAMPLE = 2**20
"""Bytes at a source's beginning and end that its digest covers."""


def folder_of(target: Path) -> Path:
    """Return the folder of a target's segments: `clip_2x.mkv.segments` beside `clip_2x.mkv`."""
    return target.with_name(f"{target.name}.segments")


def describe_job(info: VideoInfo, encoding: Encoding, model_identity: str, *, least: int) -> Job:
    """Say what makes segments what they are: source, model, encoding, and who makes them of it."""
    import av

    from .. import __version__

    status = info.path.stat()
    head = read_file(info.path, VideoError, length=_SAMPLE)
    tail = read_file(info.path, VideoError, offset=max(0, status.st_size - _SAMPLE), length=_SAMPLE)
    libraries = ".".join(map(str, av.library_versions["libavcodec"]))
    return {
        "source": f"{status.st_size} bytes, {hashlib.sha256(head + tail).hexdigest()}",
        "model": model_identity,
        "encoding": json.dumps(asdict(encoding), default=str, sort_keys=True),
        "segments": f"{least} frames",
        "made by": f"spandrel_aethernet {__version__}, PyAV {av.__version__}, libavcodec {libraries}",
    }


def begin(folder: Path, job: Job) -> str | None:
    """Make the folder ready for a job's segments, and say so if those of another job had to go.

    Raises `OutputError` for a folder of that name with something else in it, or that cannot be written.
    """
    strange = [path.name for path in folder.iterdir() if not _is_ours(path)]
    if strange:
        raise OutputError(f"{folder} holds another file, {strange[0]}: move it, or choose another target")
    former = _read(folder)
    if former == job:
        return None
    told = None
    if former is not None:
        changed = sorted(name for name in {*former, *job} if former.get(name) != job.get(name))
        told = f"the segments in {folder} are of another job ({', '.join(changed)} differ): it begins anew"
        for old in folder.glob(f"*{SUFFIX}"):
            remove(old)
    with replacing(folder / MANIFEST, force=True) as partial:
        partial.write_text(json.dumps(job, indent=2), "utf-8")
    return told


def _is_ours(path: Path) -> bool:
    return path.name in (MANIFEST, _LOCK) or path.suffix == SUFFIX or is_partial(path)


def _read(folder: Path) -> Job | None:
    try:
        found: object = json.loads(read_file(folder / MANIFEST, VideoError))
    except (VideoError, ValueError):
        return None
    if not isinstance(found, dict):
        return {}
    return {str(name): str(value) for name, value in found.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Hold a folder while a block runs; the system lets go of it for a process that was killed.

    Raises `OutputError` if another run holds it.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / _LOCK, timeout=0):
            yield
    except Timeout as error:
        raise OutputError(f"{folder} is in use: another run is making the same video") from error
