"""Which GPUs an engine is for."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import EngineError, Hint, Message
from .runtime import Runtime
from .source import OnnxSource

ALL = "all"
"""Asks for all GPUs that TensorRT for RTX builds for, whichever is here."""
CARDS = {
    "7.5": "GeForce RTX 20",
    "8.0": "A100",
    "8.6": "GeForce RTX 30",
    "8.9": "GeForce RTX 40",
    "12.0": "GeForce RTX 50",
    "12.1": "DGX Spark",
}
"""What compute capabilities are best known by."""
_TURING = "7.5"
_LEFT_OUT = f"not built for {_TURING} ({CARDS[_TURING]}), which "
_CARDS = (
    (r"\bada\b|\bl4\b|\bl40s?\b", "8.9"),
    (r"\bgb10\b|\bdgx spark\b", "12.1"),
    (r"\brtx pro\b|\bblackwell\b", "12.0"),
    (r"\bquadro rtx\b|\btitan rtx\b|\bt4\b", _TURING),
    (r"\ba100\b|\ba30\b", "8.0"),
    (r"\brtx ?a\d{3,4}\b|\ba(2|10|16|40)\b", "8.6"),
    (r"\bg?h[12]00\b", "9.0"),
    (r"\bg?b[23]00\b", "10.0"),
    (r"\brtx ?20[6-8]0", _TURING),
    (r"\brtx ?(2050|30[5-9]0)", "8.6"),
    (r"\brtx ?40[5-9]0", "8.9"),
    (r"\brtx ?50[5-9]0", "12.0"),
)
"""Names of NVIDIA's cards and their compute capabilities (developer.nvidia.com/cuda-gpus), the first wins."""
_NAME_MAJOR_MINOR = (75, 76)
"""CUDA's `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `_MINOR`."""


@dataclass(frozen=True)
class Gpu:
    """The GPU that CUDA counts first."""

    name: str
    capability: str


@dataclass(frozen=True)
class Targets:
    """What to build for."""

    capabilities: tuple[str, ...]
    note: Message | None = None
    """What a user should know of this choice."""


def present_gpu() -> Gpu | None:
    """Ask NVIDIA's driver for the first GPU; None if there is no driver or no GPU."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
        if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
            return None
        driver.cuDeviceGetName(name, len(name), device)
        version = [ctypes.c_int() for _ in _NAME_MAJOR_MINOR]
        for value, attribute in zip(version, _NAME_MAJOR_MINOR, strict=True):
            driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        return Gpu(name.value.decode(errors="replace"), ".".join(str(part.value) for part in version))
    return None


def parse_target(text: str) -> str:
    """Return the compute capability (`8.6`) of `8.6`, `86`, `sm86`, `sm_86` or a card such as `RTX 3060`.

    Raises `EngineError` for any other text.
    """
    plain = re.sub(r"[\s_-]+", " ", text.lower()).strip()
    if match := re.fullmatch(r"(?:sm ?)?(\d{1,2})\.?(\d)", plain):
        return f"{match[1]}.{match[2]}"
    for pattern, capability in _CARDS:
        if re.search(pattern, plain):
            return capability
    raise EngineError(
        f"{text!r} is no GPU that is known here",
        Hint('give {targets} a compute capability such as 8.6, or a card such as "RTX 3060"'),
    )


def parse_targets(asked: str | Sequence[str]) -> tuple[str, ...]:
    """Return each compute capability once, the oldest first, or `ALL` where that is all that is asked for.

    `asked` is one text that `parse_target` reads, or several. Raises `EngineError` for any other text.
    """
    texts = [asked] if isinstance(asked, str) else asked
    if [text.lower() for text in texts] == [ALL]:
        return (ALL,)
    return tuple(sorted({parse_target(text) for text in texts}, key=float))


def choose_targets(
    runtime: Runtime, asked: str | Sequence[str], gpu: Gpu | None, source: OnnxSource
) -> Targets:
    """Return the compute capabilities to build for: those asked for, the GPU's, or all there are.

    `asked` is what `parse_targets` reads. Raises `EngineError` if they cannot be
    built for, by this TensorRT or from this model.
    """
    wanted = parse_targets(asked)
    if runtime.name == "tensorrt":
        return _classic(runtime, wanted, gpu)
    known = sorted(runtime.capabilities(), key=float)
    if not wanted and gpu and gpu.capability in known:
        wanted = (gpu.capability,)
    if wanted in ((), (ALL,)):
        return _all(known, source)
    if missing := [one for one in wanted if one not in known]:
        raise EngineError(f"{runtime.title} does not build for {missing[0]}: expected {', '.join(known)}")
    if _TURING in wanted and source.fp32_products:
        raise EngineError(
            f"{source.name} cannot be built for {_TURING}, where {runtime.title} has no FP32 matrix "
            "products: export it as fp16 or fp16-int8, or choose newer GPUs"
        )
    if _TURING in wanted and len(wanted) > 1 and source.int8_convolutions:
        return Targets(
            wanted,
            Message(
                f"with {_TURING} among the targets, all of them run the {source.int8_convolutions} INT8 "
                "convolutions in float: build one engine for it and one for the others"
            ),
        )
    return Targets(wanted)


def _all(known: Sequence[str], source: OnnxSource) -> Targets:
    """Return all targets, without the oldest where it would take something from the others.

    An engine holds one program for all of its targets. Measured with TensorRT for RTX 1.7: it refuses FP32
    matrix products for 7.5, and with 7.5 among the targets INT8 convolutions run in float on all of them.
    """
    newer = tuple(one for one in known if one != _TURING)
    if source.fp32_products:
        why = "has no FP32 matrix products: build it from an fp16 or fp16-int8 file"
        return Targets(newer, Message(_LEFT_OUT + why))
    if source.int8_convolutions:
        alone = Hint("{targets} builds an engine for it alone", targets=_TURING)
        return Targets(newer, Message(f"{_LEFT_OUT}has no INT8 convolutions", alone))
    return Targets(tuple(known))


def _classic(runtime: Runtime, wanted: tuple[str, ...], gpu: Gpu | None) -> Targets:
    if gpu is None:
        raise EngineError(
            f"{runtime.title} builds on the GPU that is to run the engine, and none is found here",
            Hint(
                "build it there, or with TensorRT for RTX, which needs none "
                '(pip install "spandrel-aethernet[rtx]", {runtime})',
                runtime="rtx",
            ),
        )
    if wanted not in ((), (gpu.capability,)):
        raise EngineError(
            f"{runtime.title} builds for the GPU it runs on, {gpu.name} ({gpu.capability}), and not for "
            f"{', '.join(wanted)}",
            Hint("leave {targets} out, or choose {runtime}", runtime="rtx"),
        )
    return Targets((gpu.capability,))
