"""The machine that something was measured on, and the libraries that it ran."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from typing import Any

import torch

_LIBRARIES = (
    "torch",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "tensorrt",
    "tensorrt-rtx-cu13",
    "spandrel",
)
_PREFIXES = ("OMP_", "KMP_", "MKL_", "GOMP_", "THP_", "OPENBLAS_", "ATEN_", "TORCH")
"""Of variables in the environment that tell libraries how to compute."""


def describe_machine(device: str) -> dict[str, Any]:
    """Return what decides over speed, for JSON; with the GPU and its driver if `device` is `cuda`."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "vector": torch.backends.cpu.get_cpu_capability(),
        **(_gpu(device) if device.startswith("cuda") and torch.cuda.is_available() else {}),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
        "threads": torch.get_num_threads(),
        "environment": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith(_PREFIXES)
        },
    }


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    if sys.platform == "darwin":
        return _said("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


def _gpu(device: str) -> dict[str, Any]:
    chosen = torch.device(device)
    query = "--query-gpu=driver_version", "--format=csv,noheader"
    driver = _said("nvidia-smi", *query).splitlines()
    return {
        "gpu": torch.cuda.get_device_name(chosen),
        "driver": driver[0].strip() if driver else None,
        "cuda": torch.version.cuda,
    }


def _said(program: str, *arguments: str) -> str:
    """Return what a program prints, or nothing if it is not there or fails."""
    found = which(program)
    if found is None:
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run([found, *arguments], capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()
    return ""


def _version(package: str) -> str | None:
    with suppress(PackageNotFoundError):
        return version(package)
    return None
