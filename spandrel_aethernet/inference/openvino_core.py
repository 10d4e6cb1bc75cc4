"""OpenVINO's devices, and models compiled for them.

Property names and values are those of docs.openvino.ai, "Query device properties" and "CPU device".
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ..errors import ArgumentError, Hint, OnnxError, missing_extras
from .onnx_network import checked
from .pytorch import Dtypes, computes_bfloat16

CPU = "CPU"
_HINTS = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}
_CAPABILITIES = {torch.float32: "FP32", torch.float16: "FP16", torch.bfloat16: "BF16"}
_PLACE = re.compile(r"(?:Exception from|Check '[^\n]*' failed at) \S+:\d+:?")
"""Where in its source an error was raised."""
_LONGEST = 1000
"""How much of what OpenVINO says is read."""


def open_core() -> Any:
    """Return the process's `openvino.Core`. Raises `MissingPackageError` if OpenVINO is not installed."""
    with missing_extras():
        import openvino
    library: Any = openvino
    return _kept_core(library)


@cache
def _kept_core(library: Any) -> Any:
    """Never let it go: OpenVINO would free the stack that it gave to signals, and Ctrl-C be a fault."""
    return library.Core()


def choose_openvino_device(name: str, core: Any) -> str:
    """Turn `auto`, `cpu`, `gpu`, `gpu.1` … into OpenVINO's name of a device.

    `auto` is the first GPU with memory of its own, else the CPU. Raises `ArgumentError` if it is not there.
    """
    available: list[str] = core.available_devices
    if name == "auto":
        return next((device for device in available if _has_own_memory(device, core)), CPU)
    wanted = name.upper()
    for device in available:
        if wanted in (device, device.removesuffix(".0")):
            return device
    words = ", ".join(device.lower() for device in available)
    raise ArgumentError(
        f"device {name} is not one that OpenVINO finds here, which are {words}",
        Hint("try {device}", device="cpu"),
    )


def _has_own_memory(device: str, core: Any) -> bool:
    return device.startswith("GPU") and core.get_property(device, "DEVICE_TYPE").name == "DISCRETE"


def choose_openvino_dtypes(name: str, device: str, core: Any) -> Dtypes:
    """Turn a name into the dtypes that a device computes in.

    `auto` is for images of 8 bits bfloat16 on a CPU with `computes_bfloat16`, and float16 on a GPU; else
    float32. On the bundled photographs, with the bundled model, bfloat16 is 53 dB and more from float32,
    with INT8 51 dB and more. Raises `ArgumentError` for a dtype that the device does not compute in.
    """
    able = core.get_property(device, "OPTIMIZATION_CAPABILITIES")
    # OpenVINO claims bfloat16 for CPUs that compute it as float32 and round.
    known = [dtype for dtype, word in _CAPABILITIES.items() if word in able or dtype is torch.float32]
    if device == CPU and not computes_bfloat16() and torch.bfloat16 in known:
        known.remove(torch.bfloat16)
    if name == "auto":
        short = torch.bfloat16 if device == CPU else torch.float16
        return Dtypes(short if short in known else torch.float32, torch.float32)
    dtype: torch.dtype = getattr(torch, name)
    if dtype not in known:
        words = ", ".join(str(one).removeprefix("torch.") for one in known)
        hint = Hint("leave {dtype} out", dtype=name)
        raise ArgumentError(f"dtype {name} is not one that {device} computes in, which are {words}", hint)
    return Dtypes(dtype, dtype)


def read_model(path: Path, core: Any) -> Any:
    """Return an `openvino.Model` of a file and the data it keeps beside itself.

    Raises `OnnxError` for a file that cannot be read or that OpenVINO does not know how to run.
    """
    content = checked(path)
    try:
        return core.read_model(content)
    except Exception as error:  # its errors share no other base
        raise _not_loaded(path, error) from error


def compile_model(model: Any, path: Path, device: str, dtype: torch.dtype, core: Any) -> Any:
    """Return an infer request of a model that computes in a dtype, where it is not bound to INT8.

    Raises `OnnxError` if the device cannot run it.
    """
    properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": _HINTS[dtype]}
    if device == CPU:
        # As many as PyTorch's, which callers can set: how many share an operator may change its last bits.
        properties |= {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "NUM_STREAMS": 1}
        # Several processes would otherwise all be bound to the same cores.
        properties["ENABLE_CPU_PINNING"] = False
    else:  # a CPU compiles in less than a second
        from ..engines.cache import cache_folder  # whose packages nothing else here needs

        properties["CACHE_DIR"] = str(cache_folder() / "openvino")
    try:
        return core.compile_model(model, device, properties).create_infer_request()
    except Exception as error:  # its errors share no other base
        raise _not_loaded(path, error) from error


def _not_loaded(path: Path, error: Exception) -> OnnxError:
    return OnnxError(f"{path} cannot be loaded by OpenVINO: {openvino_reason(error)}")


def openvino_reason(error: Exception) -> str:
    """Return in one line what OpenVINO says, without places in its source: of a list of reasons the first."""
    lines = [line.strip() for line in _PLACE.sub("", str(error)[:_LONGEST]).splitlines()]
    listed = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    said = " ".join(listed[:1] or [line for line in lines if line][:2])
    return said.rstrip(".") or "no reason given"
