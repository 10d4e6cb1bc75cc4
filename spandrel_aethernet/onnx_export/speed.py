"""How much faster one model is than another in ONNX Runtime, on this machine's CPU."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from ..shapes import Profile

_SIDE = 192
_REPEATS = 5


def speedup(model: onnx.ModelProto, reference: onnx.ModelProto, profile: Profile, channels: int) -> float:
    """Return how many times as fast as `reference` a model is: the ratio of medians of passes by turns.

    The image is 192 pixels wide and high, as far as the profile has room for that.
    """
    height, width = (min(max(_SIDE, axis.min), axis.max) for axis in (profile.height, profile.width))
    batch = profile.batch.min
    image = np.random.default_rng(0).random((batch, channels, height, width), dtype=np.float32)
    both = [_session(one) for one in (reference, model)]
    seconds: list[list[float]] = [[], []]
    for turn in range(_REPEATS + 1):
        for session, own in zip(both, seconds, strict=True):
            given = image.astype(np.float16) if "float16" in session.get_inputs()[0].type else image
            begun = time.perf_counter()
            session.run(None, {"input": given})
            if turn:  # the first pass makes room
                own.append(time.perf_counter() - begun)
    before, now = (statistics.median(own) for own in seconds)
    return before / now


def _session(model: onnx.ModelProto) -> Any:
    library: Any = onnxruntime
    options = library.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return library.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
