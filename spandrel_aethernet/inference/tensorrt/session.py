"""A TensorRT engine at work: its tensors by name, and device memory that grows when it must."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...errors import EngineError
from ...shapes import Profile, Range
from .load import LoadedEngine, first_error

if TYPE_CHECKING:
    import tensorrt as trt

_DTYPES = {"FLOAT": torch.float32, "HALF": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True)
class IOTensor:
    """The one input or output of an engine."""

    name: str
    dtype: torch.dtype


@dataclass(frozen=True)
class Signature:
    """What goes into an engine and what comes out, and the shapes it was built for."""

    input: IOTensor
    output: IOTensor
    channels: int
    profile: Profile


def read_signature(module: Any, engine: trt.ICudaEngine) -> Signature:
    """Find input, output and profile of an engine of the TensorRT library `module`.

    Raises `EngineError`, its sentence without the file's name, if it is not a super-resolution network.
    """
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    is_input = [engine.get_tensor_mode(name) == module.TensorIOMode.INPUT for name in names]
    if sorted(is_input) != [False, True]:
        raise EngineError(f"it has {sum(is_input)} inputs and {len(names) - sum(is_input)} outputs")
    tensors: dict[bool, IOTensor] = {}
    for name, key in zip(names, is_input, strict=True):
        dtype = engine.get_tensor_dtype(name).name
        if dtype not in _DTYPES:
            raise EngineError(f"{name} is {dtype}, not {', '.join(_DTYPES)}")
        if engine.get_tensor_format(name) != module.TensorFormat.LINEAR:
            raise EngineError(f"{name} is not laid out as N x C x H x W")
        tensors[key] = IOTensor(name, _DTYPES[dtype])
    min_shape, opt_shape, max_shape = _shapes(engine, tensors[True].name)
    if len(min_shape) != 4:
        raise EngineError(f"{tensors[True].name} has {len(min_shape)} dimensions, not 4")
    batch, channels, height, width = map(Range, min_shape, opt_shape, max_shape)
    return Signature(tensors[True], tensors[False], channels.opt, Profile(batch, height, width))


class Session:
    """An engine with memory on a GPU, ready to run.

    Memory for activations is what the shape at hand needs. TensorRT by itself would take what the largest
    shape of the profile needs: tens of gigabytes for 16 images of 1080 x 1920.
    """

    def __init__(self, loaded: LoadedEngine, signature: Signature, device: torch.device) -> None:
        """Make a context for the engine's first profile. Raises `EngineError`."""
        self._loaded, self._signature, self._device = loaded, signature, device
        strategy = loaded.runtime.module.ExecutionContextAllocationStrategy.USER_MANAGED
        with torch.cuda.device(device):
            # Any, because the stubs take the `bool` that its methods return for TensorRT's type of that name.
            self._context: Any = loaded.engine.create_execution_context(strategy)
            self._checked(self._context)
            stream = torch.cuda.current_stream()
            self._checked(self._context.set_optimization_profile_async(0, stream.cuda_stream))
            stream.synchronize()
        self._input, self._output, self._activations = (Memory(device) for _ in range(3))
        self._shape: tuple[int, ...] | None = None
        """The input's shape that context and memory are set for."""

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return what the engine makes of an input of this shape, without running it."""
        self._shape = None
        self._set_shape(shape)
        return self._output_shape()

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether an input may have this shape and then takes no more than half of the free memory."""
        if tuple(shape) == self._shape:
            return True
        self._shape = None
        with torch.cuda.device(self._device):
            if not self._context.set_input_shape(self._signature.input.name, tuple(shape)):
                return False
            needed = self._context.update_device_memory_size_for_shapes()
            unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
            return needed <= (torch.cuda.mem_get_info()[0] + unused + self._activations.size) // 2

    @torch.inference_mode()
    def run(self, batch: Tensor) -> Tensor:
        """Run on N x C x H x W, a shape within the profile, on the GPU's current stream.

        The next run overwrites what is returned. Raises `EngineError` if TensorRT fails, and
        `torch.cuda.OutOfMemoryError`.
        """
        self._loaded.log.errors.clear()
        with torch.cuda.device(self._device):
            self._prepare(batch.shape)
            input_ = self._input.tensor(batch.shape, self._signature.input.dtype)
            output = self._output.tensor(self._output_shape(), self._signature.output.dtype)
            input_.copy_(batch)
            for io, tensor in ((self._signature.input, input_), (self._signature.output, output)):
                self._checked(self._context.set_tensor_address(io.name, tensor.data_ptr()))
            self._checked(self._context.execute_async_v3(torch.cuda.current_stream().cuda_stream))
            return output

    def _prepare(self, shape: Sequence[int]) -> None:
        """Set the shape and the memory for its activations, unless they are set."""
        if tuple(shape) == self._shape:
            return
        self._shape = None
        needed = self._set_shape(shape)
        memory = self._activations.bytes(needed)
        self._context.set_device_memory(memory.data_ptr(), needed)
        self._shape = tuple(shape)

    def _checked(self, done: object) -> None:
        if not done:
            raise EngineError(f"{self._loaded.runtime.title} failed: {first_error(self._loaded.log)}")

    def _output_shape(self) -> tuple[int, ...]:
        return _sizes(self._context.get_tensor_shape(self._signature.output.name))

    def _set_shape(self, shape: Sequence[int]) -> int:
        """Set the shape and return the bytes its activations take."""
        self._checked(self._context.set_input_shape(self._signature.input.name, tuple(shape)))
        return int(self._context.update_device_memory_size_for_shapes())


class Memory:
    """Memory on a GPU that is kept between uses and replaced only by more."""

    def __init__(self, device: torch.device) -> None:
        self._all = torch.empty(0, dtype=torch.uint8, device=device)

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._all.numel()

    def bytes(self, size: int) -> Tensor:
        """Return the first bytes, growing if there are fewer; what they held is lost then."""
        if size > self.size:
            device = self._all.device
            self._all = torch.empty(0, dtype=torch.uint8, device=device)  # or both are held for a moment
            self._all = torch.empty(size, dtype=torch.uint8, device=device)
        return self._all[:size]

    def tensor(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Return the memory as a contiguous tensor."""
        return self.bytes(math.prod(shape) * dtype.itemsize).view(dtype).view(*shape)


def _shapes(engine: trt.ICudaEngine, name: str) -> Sequence[Sequence[int]]:
    """Return the min, opt and max shape of an input."""
    shape = _sizes(engine.get_tensor_shape(name))
    if min(shape, default=0) >= 0:
        return [shape] * 3
    return [_sizes(dims) for dims in engine.get_tensor_profile_shape(name, 0)]


def _sizes(dims: trt.Dims) -> tuple[int, ...]:
    return tuple(dims[axis] for axis in range(len(dims)))
