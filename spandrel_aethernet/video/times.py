"""When a video's frames are shown, as its packets tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..progress import Progress
from .source import packets_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream


@dataclass(frozen=True)
class Times:
    """What the packets tell."""

    shown: list[int]
    keys: list[int]
    counted: bool
    last_duration: int
    end: float
    """Seconds at which the last packet of any stream ends."""
    damaged: bool


def read_times(container: InputContainer, main: Stream, progress: Progress) -> Times:
    """Read all packets of a file, those of the video `main` in its own units; `progress` has 100 parts."""
    progress.begin("reading", 100)
    shown: list[tuple[int | None, int | None, bool]] = []
    done, end, last_duration, damaged = 0, 0.0, 0, False
    for packet in packets_of(container, [each for each in container.streams if each.type != "attachment"]):
        while done < 100 and (packet.pos or 0) * 100 >= (done + 1) * container.size:
            progress.advance("reading")
            done += 1
        time = packet.pts if packet.pts is not None else packet.dts
        if time is not None:
            end = max(end, float((time + (packet.duration or 0)) * packet.time_base))
        if packet.stream_index == main.index and not packet.is_discard:
            shown.append((packet.pts, packet.dts, packet.is_keyframe))
            last_duration, damaged = packet.duration or last_duration, damaged or packet.is_corrupt
    for _ in range(done, 100):
        progress.advance("reading")
    counted = any(pts is None for pts, _, _ in shown)
    times = [dts if counted else pts for pts, dts, _ in shown]
    if None in times:  # bare streams: nothing but the order of the frames is known
        times = [*range(len(shown))]
    known = [time for time in times if time is not None]
    keys = [time for time, (_, _, key) in zip(known, shown, strict=True) if key]
    return Times(sorted(known), sorted(keys), counted, last_duration, end, damaged)
