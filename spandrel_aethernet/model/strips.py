"""Work on a feature map in strips of rows, so that what lies between its operators stays in a CPU's cache."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_BYTES_OF_A_THREAD = 3 * 2**19
"""Of the widest tensor between two operators: with another like it, about the L2 cache of a core."""


def computes_at_once(x: Tensor) -> bool:
    """Tell whether a CPU computes operators as they are called: no gradient is kept, no graph is made.

    Strips and in-place operators are for then alone; elsewhere they would be in the way.
    """
    return (
        x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    )


def channels_last(x: Tensor) -> Tensor:
    """Return N x C x H x W with its channels last in memory where it `computes_at_once`, else as it is.

    Without it every block would turn its channels to the end and back.
    """
    return x.contiguous(memory_format=torch.channels_last) if computes_at_once(x) else x


def in_strips(function: Callable[..., Tensor], *tensors: Tensor, width: int) -> Tensor:
    """Return what a function makes of tensors N x C x H x W, of which it looks at each pixel by itself.

    The result has the shape, the dtype and the memory format of the first. `width` is the number of values
    of a pixel in the function's widest tensor.
    """
    first = tensors[0]
    row = first.shape[0] * first.shape[3] * width * first.element_size()
    rows = max(_BYTES_OF_A_THREAD * torch.get_num_threads() // row, 1)
    if rows >= first.shape[2]:
        return function(*tensors)
    output = torch.empty_like(first)
    cut = (torch.split(each, rows, 2) for each in (output, *tensors))
    for target, *strips in zip(*cut, strict=True):
        target.copy_(function(*strips))
    return output
