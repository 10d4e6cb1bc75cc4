"""Which devices workers have, and what each of them is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import torch

from ..errors import ArgumentError, Hint
from ..inference.onnx_session import runs_on_cpu
from ..inference.open import backend_for
from ..inference.openvino_core import CPU, choose_openvino_device, open_core
from .processes import QUIET_THREADS
from .tasks import ModelSpec

Placed = tuple[ModelSpec, Mapping[str, str]]
"""A model for one worker, and what is set in its environment."""


def on_devices(spec: ModelSpec) -> list[Placed]:
    """Return a model for each device that `spec.device` names: one, a list of CUDA GPUs, or `all` of them.

    With more than one, each is for a process that sees its own GPU only, which every library finds there.
    Raises `ArgumentError` for a list of others, and where there are none.
    """
    if spec.device != "all" and "," not in spec.device:
        return [(spec, {})]
    here = torch.cuda.device_count()
    if not here:
        hint = Hint("try {device}", device="cpu")
        raise ArgumentError(f"device {spec.device}: PyTorch finds no CUDA GPU here", hint)
    names = [f"cuda:{index}" for index in range(here)] if spec.device == "all" else spec.device.split(",")
    known = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = known.split(",") if known else [str(index) for index in range(here)]
    placed: list[Placed] = []
    for name in names:
        kind, _, index = name.strip().partition(":")
        if kind != "cuda" or not index.isdecimal() or int(index) >= here:
            raise ArgumentError(
                f"device {spec.device}: {name!r} is no CUDA GPU of this machine, which are cuda:0 to "
                f"cuda:{here - 1}"
            )
        own = {"CUDA_VISIBLE_DEVICES": visible[int(index)].strip()} if len(names) > 1 else {}
        placed.append((_on_gpu(spec, "cuda" if own else name), own))
    return placed


def on_processors(spec: ModelSpec, workers: int) -> list[Placed]:
    """Return a model for each of some processes that share the CPU.

    Raises `ArgumentError` if it would run elsewhere.
    """
    kind = backend_for(spec.path, spec.backend)
    if kind == "onnx":
        on_cpu = runs_on_cpu(spec.provider)
    elif kind == "openvino":
        on_cpu = choose_openvino_device(spec.device, open_core()) == CPU
    else:
        gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
        on_cpu = kind == "pytorch" and (spec.device == "cpu" or (spec.device == "auto" and not gpu))
    if not on_cpu:
        option = "provider" if kind == "onnx" else "device"
        hint = None if kind == "tensorrt" else Hint(f"give {{{option}}}", **{option: "cpu"})
        raise ArgumentError(f"workers share the CPU, and {spec.path} would not run there", hint)
    return [(spec, QUIET_THREADS)] * workers


def check_for_cluster(device: str) -> None:
    """Raise `ArgumentError` for a device that a cluster's workers cannot be told."""
    if device not in ("auto", "cpu", "cuda"):
        raise ArgumentError(
            f"device {device} does not go with a cluster, which gives one GPU to each worker",
            Hint("leave {device} out", device=device),
        )


def _on_gpu(spec: ModelSpec, device: str) -> ModelSpec:
    if backend_for(spec.path, spec.backend) != "onnx":
        return replace(spec, device=device)
    return replace(spec, device="auto", provider="cuda" if spec.provider == "auto" else spec.provider)
