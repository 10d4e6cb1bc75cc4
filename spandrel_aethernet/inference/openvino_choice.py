"""Which library runs an ONNX file if nobody says."""

from __future__ import annotations

import platform
from importlib.util import find_spec

from .pytorch import computes_bfloat16

# Seconds of ONNX Runtime 1.32 by those of OpenVINO 2026.4 on two cores with AVX512-BF16 and AMX, for
# aether_small 2x on images of 8 bits, which it runs in bfloat16: fp32 1.0 to 1.5, fp32-int8 1.05 to 1.2 from
# 64x64 to 1920x1080, in half the memory; 1.3 for both at 256x256 in another run of `aethernet benchmark`.
# Bound to float32, as it is on other CPUs, it was 0.9 to 1.1 times as fast: bfloat16 makes the difference.


def openvino_is_faster() -> bool:
    """Tell whether OpenVINO is installed and on this CPU as fast as ONNX Runtime or faster.

    That is on x86 processors with `computes_bfloat16`; not where ONNX Runtime has an NVIDIA GPU to run on.
    """
    if find_spec("openvino") is None or platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    return computes_bfloat16() and not _has_cuda()


def _has_cuda() -> bool:
    from .onnx_session import runs_on_cpu

    return find_spec("onnxruntime") is not None and not runs_on_cpu("auto")
