"""What the processor can do, as far as encoders must be told."""

from __future__ import annotations

import torch


def has_avx512() -> bool:
    """Whether PyTorch, which looks at the processor and the system, computes with AVX-512."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512"
