"""What shapes and keys tell of any generation: sizes, depths, kernels, and whether branches are fused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import count

from torch import Tensor

from ..errors import CheckpointError
from .large_kernel import MAX_KERNEL


def agreed_size(tensors: Mapping[str, Tensor], axis: int, *patterns: str) -> int:
    """Return the size that most of the matching tensors have, so that the odd one out is named later.

    Raises `CheckpointError` if there are none.
    """
    found = (t for key, t in tensors.items() if any(fnmatchcase(key, pattern) for pattern in patterns))
    sizes = Counter(
        tensor.shape[axis] for tensor in found if tensor.numel() > 0 and tensor.ndim > (0 if axis == 0 else 3)
    )
    if not sizes:
        raise CheckpointError(f"{' and '.join(patterns)} are missing or empty: the checkpoint is not whole")
    return sizes.most_common(1)[0][0]


def read_depths(keys: Iterable[str], stages: str) -> tuple[int, ...]:
    """Return how many blocks each stage has, by keys `STAGES.S.B.…`.

    Raises `CheckpointError` for a block that is missing before another.
    """
    pattern = re.compile(rf"{stages}\.(\d{{1,9}})\.(\d{{1,9}})\.")
    found = {(int(match[1]), int(match[2])) for key in keys if (match := pattern.match(key))}
    depths: list[int] = []
    while (len(depths), 0) in found:
        depths.append(next(block for block in count() if (len(depths), block) not in found))
    if sum(depths) < len(found):
        stage, block = min((s, b) for s, b in found if s >= len(depths) or b > depths[s])
        missing = (len(depths), 0) if stage >= len(depths) else (stage, depths[stage])
        raise CheckpointError(
            f"block {stages}.{missing[0]}.{missing[1]} is missing, but {stages}.{stage}.{block} is there"
        )
    return tuple(depths)


def read_ratio(embed_dim: int, hidden: int) -> float:
    """Return an `mlp_ratio` for which `int(embed_dim * mlp_ratio)` is the hidden width."""
    ratio = hidden / embed_dim
    return ratio if int(embed_dim * ratio) == hidden else (hidden + 0.5) / embed_dim


def read_kernels(tensors: Mapping[str, Tensor], stages: str, *, fused: bool) -> dict[str, int]:
    """Return `lk_kernel` and, unless fused, `sk_kernel`; raises `CheckpointError` for even ones."""
    kernels = {"lk_kernel": _kernel(tensors, stages, "fused_conv" if fused else "lk_conv")}
    if not fused:
        kernels["sk_kernel"] = _kernel(tensors, stages, "sk_conv")
        if kernels["sk_kernel"] > kernels["lk_kernel"]:
            raise CheckpointError(
                "the kernels of sk_conv ({sk_kernel}) are larger than those of lk_conv ({lk_kernel})".format(
                    **kernels
                )
            )
    return kernels


def _kernel(tensors: Mapping[str, Tensor], stages: str, branch: str) -> int:
    kernel = agreed_size(tensors, -1, f"{stages}.*.conv.{branch}.weight")
    if kernel % 2 == 0 or kernel > MAX_KERNEL:
        raise CheckpointError(
            f"{stages}.*.conv.{branch}.weight has kernels of {kernel}x{kernel}: "
            f"expected an odd size of at most {MAX_KERNEL}"
        )
    return kernel


def read_fused(keys: Collection[str], stages: str) -> bool:
    """Tell whether the large kernels are fused. Raises `CheckpointError` if both forms are there, or none."""
    block = rf"{stages}\.\d+\.\d+\.conv\."
    fused = next(filter(re.compile(block + r"fused_conv\.").match, keys), None)
    not_fused = next(filter(re.compile(block + r"(lk_conv|sk_conv|lk_bias|sk_bias)\b").match, keys), None)
    if fused and not_fused:
        raise CheckpointError(
            f"fused and not fused keys are mixed in one file ({fused} and {not_fused}): export it again"
        )
    if not fused and not not_fused:
        raise CheckpointError(
            f"no {stages}.S.B.conv.lk_conv.weight (not fused) and no {stages}.S.B.conv.fused_conv.weight "
            "(fused): this is not an AetherNet checkpoint"
        )
    return fused is not None
