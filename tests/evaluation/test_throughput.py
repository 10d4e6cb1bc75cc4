"""Frames are timed from end to end, and what they pass on the way."""

from __future__ import annotations

import json

import pytest

from spandrel_aethernet.evaluation.references import Enlarging
from spandrel_aethernet.evaluation.throughput import measure_conversions, measure_throughput

from ..inference.backends import Repeat


def test_every_stage_is_timed_and_told() -> None:
    (result,) = measure_throughput({"enlarging": Enlarging()}, ["480p"], frames=3)
    told = json.loads(json.dumps(result.describe()))
    assert (told["network"], told["size"], told["frames"]) == ("enlarging", "480p", 3)
    stages = ("alone", "memory", "read", "write", "files", "cpu", "memory_before", "files_before")
    assert all(told[stage] > 0 for stage in stages)
    slowest = max(told["read"], told["memory"], told["write"])
    assert told["files_ratio"] == pytest.approx(told["files"] / slowest)
    assert told["files_to_least"] == pytest.approx(told["files"] / max(slowest, told["cpu"]))


def test_a_network_alone_has_as_many_passes_as_an_image_has_tiles() -> None:
    network = Repeat(side=400)
    measure_throughput({"repeating": network}, ["480p"], frames=1)
    assert {shape[2:] for shape in network.shapes} == {(272, 352)}, "tiles as they are cut, everywhere"


def test_conversions_are_timed_as_they_are_and_as_they_were() -> None:
    conversions = measure_conversions("480p", repeats=1)
    assert min(conversions.now, conversions.before) > 0
