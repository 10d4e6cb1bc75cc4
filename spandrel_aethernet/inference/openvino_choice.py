"""Which library runs an ONNX file if nobody says."""

from __future__ import annotations

import platform
from importlib.util import find_spec

from .pytorch import computes_bfloat16

# Seconds of ONNX Runtime 1.32 by those of OpenVINO 2026.4 on two cores with AVX512-BF16 and AMX, for
# aether_small 2x on 256 x 256 pixels of 8 bits; in brackets with OpenVINO bound to float32, as it is on other
# CPUs. `aethernet benchmark FILE` measures the same.
#
# | file                  | OpenVINO | (float32) |
# |-----------------------|----------|-----------|
# | fp32                  | 1.7      | (0.9)     |
# | fp32-int8             | 1.8      | (1.1)     |
# | fp32-int8, tensorrt   | 2.3      | (1.8)     |
# | fp16                  | 2.6      | (1.3)     |
#
# So it is bfloat16 that makes the difference, for every kind of file.


def openvino_is_faster() -> bool:
    """Tell whether OpenVINO is installed and on this CPU clearly faster than ONNX Runtime.

    That is on x86 processors with `computes_bfloat16`; not where ONNX Runtime has an NVIDIA GPU to run on.
    """
    if find_spec("openvino") is None or platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    return computes_bfloat16() and not _has_cuda()


def _has_cuda() -> bool:
    from .onnx_session import runs_on_cpu

    return find_spec("onnxruntime") is not None and not runs_on_cpu("auto")
