"""How a PyTorch file describes its tensors: elements of a storage, without any of them."""

from __future__ import annotations

from dataclasses import dataclass

ELEMENT_BYTES = {
    "BoolStorage": 1,
    "ByteStorage": 1,
    "CharStorage": 1,
    "ShortStorage": 2,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "IntStorage": 4,
    "FloatStorage": 4,
    "LongStorage": 8,
    "DoubleStorage": 8,
}
"""The storages of torch that a tensor may lie in, and the bytes of an element."""


@dataclass(frozen=True)
class Storage:
    """Where the elements of tensors lie."""

    kind: str
    """A key of `ELEMENT_BYTES`."""
    key: str
    """Its name in the file."""
    elements: int


@dataclass(frozen=True)
class TensorRecord:
    """A tensor as a pickle describes it: elements of a storage, from `offset` on, `stride` apart."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def check(self) -> None:
        """Raise ValueError for a tensor that is not within its storage, or larger than that."""
        count, last = 1, self.offset
        for size, stride in zip(self.size, self.stride, strict=True):
            count *= size
            last += (size - 1) * stride
        if count > self.storage.elements or (count and last >= self.storage.elements):
            raise ValueError(f"a tensor of {count} values is in a storage of {self.storage.elements}")
