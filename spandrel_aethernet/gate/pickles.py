"""What a PyTorch checkpoint's pickle holds, found without running anything of it.

The interpreter knows the instructions of which `torch.save` makes a dictionary of tensors (Python's
documentation of `pickletools` describes them), and of the functions and classes that a pickle may name only
those below. It calls none of them: the caller makes the tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pickletools import genops
from typing import Any, cast

from .limits import PICKLE_STEPS
from .records import ELEMENT_BYTES, Storage, TensorRecord

_DICT, _TENSOR, _PARAMETER = "OrderedDict", "_rebuild_tensor_v2", "_rebuild_parameter"
_TEXT = "TorchVersion"
"""A text of a class of its own: with it releases record their PyTorch."""
_KNOWN = {
    ("collections", "OrderedDict"): _DICT,
    ("typing", "OrderedDict"): _DICT,
    ("torch._utils", "_rebuild_tensor_v2"): _TENSOR,
    ("torch._utils", "_rebuild_parameter"): _PARAMETER,
    ("torch.torch_version", "TorchVersion"): _TEXT,
    **{("torch", name): name for name in ELEMENT_BYTES},
}
_QUANTIZED = {"_rebuild_qtensor", "qint8", "quint8", "QInt8Storage", "QUInt8Storage", "per_channel_affine"}
"""What PyTorch's own int8 tensors name."""
_MOST = 2**127
"""The largest number taken; torch's own mark of the older format has 77 bits."""
_MOST_KEY = 2**31
"""The largest number taken as a key: up to there keys do not collide in a dictionary."""
_MOST_AXES = 64
"""Of a tensor, for torch."""


class CodeError(ValueError):
    """A file that holds code: a program, or a pickle that names what no tensor is made of."""


class QuantizedError(ValueError):
    """A pickle of PyTorch's own int8 tensors."""


def read_pickle(file: BytesIO, tensor: Callable[[TensorRecord], Any]) -> Any:
    """Return what one pickle holds, and leave `file` after it.

    Dictionaries (of whatever kind), lists, tuples, texts, numbers, True, False and None are themselves;
    tensors are what `tensor` makes of them. Dictionaries have texts or numbers as keys.

    Raises `QuantizedError` for PyTorch's int8 tensors, `CodeError` for a pickle that names anything else, and
    ValueError for one that is damaged or takes more than `PICKLE_STEPS`.
    """
    machine = _Machine(tensor)
    most = PICKLE_STEPS.value
    try:
        for step, (opcode, argument, _) in enumerate(genops(file)):
            if step >= most:
                raise ValueError(f"more than {most} instructions: {PICKLE_STEPS.variable} allows more")
            if opcode.name == "STOP":
                return machine.result()
            machine.run(opcode.name, argument)
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__} in its pickle") from error
    raise ValueError("its pickle has no end")


@dataclass(frozen=True)
class _Name:
    """A function or class that a pickle names."""

    name: str


@dataclass
class _Machine:
    tensor: Callable[[TensorRecord], Any]
    stack: list[Any] = field(default_factory=list[Any])
    marks: list[int] = field(default_factory=list[int])
    memo: dict[int, Any] = field(default_factory=dict[int, Any])

    def result(self) -> Any:
        (value,) = self.stack
        return value

    def run(self, name: str, argument: Any) -> None:
        instruction = _INSTRUCTIONS.get(name)
        if instruction is None:
            raise CodeError(f"pickled code (instruction {name})")
        instruction(self, argument)

    def nothing(self, _argument: Any) -> None:
        pass

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def number(self, value: int) -> None:
        if abs(value) > _MOST:
            raise ValueError("a number in its pickle is too large")
        self.stack.append(value)

    def mark(self, _argument: Any) -> None:
        self.marks.append(len(self.stack))

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def pop(self) -> Any:
        if self.marks and len(self.stack) <= self.marks[-1]:
            raise IndexError
        return self.stack.pop()

    def tuple_of(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.stack.append(tuple(reversed(values)))

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(values) % 2:
            raise TypeError
        for key, value in zip(values[::2], values[1::2], strict=True):
            if type(key) is not str and not (type(key) is int and abs(key) <= _MOST_KEY):
                raise TypeError
            target[key] = value

    def name(self, module: Any, name: Any) -> None:
        known = _KNOWN.get((module, name)) if isinstance(module, str) and isinstance(name, str) else None
        if known is None and name in _QUANTIZED and module in ("torch", "torch._utils"):
            raise QuantizedError(f"{module}.{name}")
        if known is None:
            raise CodeError(f"pickled code ({module}.{name})")
        self.stack.append(_Name(known))

    def stack_name(self, _argument: Any) -> None:
        name, module = self.pop(), self.pop()
        self.name(module, name)

    def reduce(self, _argument: Any) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, _Name) or type(arguments) is not tuple:
            raise TypeError
        if function.name == _DICT and arguments == ():
            self.stack.append({})
        elif function.name == _TENSOR:
            self.stack.append(self.tensor(_record(*arguments)))
        elif function.name == _PARAMETER:
            self.stack.append(arguments[0])
        else:
            raise TypeError

    def new(self, _argument: Any) -> None:
        arguments, name = self.pop(), self.pop()
        if name != _Name(_TEXT) or type(arguments) is not tuple:
            raise TypeError
        (text,) = cast(tuple[Any, ...], arguments)
        if type(text) is not str:
            raise TypeError
        self.stack.append(text)

    def build(self, _argument: Any) -> None:
        self.pop()  # the attributes of an OrderedDict, such as _metadata
        if type(self.stack[-1]) is not dict:
            raise TypeError

    def storage(self, _argument: Any) -> None:
        tag, kind, key, _location, elements, *_ = self.pop()
        known = isinstance(kind, _Name) and kind.name in ELEMENT_BYTES
        if tag != "storage" or not known or type(key) is not str or type(elements) is not int or elements < 0:
            raise TypeError
        self.stack.append(Storage(kind.name, key, elements))


def _record(storage: Any, offset: Any, size: Any, stride: Any, *_rest: Any) -> TensorRecord:
    if type(storage) is not Storage or not _is_size(size) or not _is_size(stride) or not _is_size((offset,)):
        raise TypeError
    record = TensorRecord(storage, offset, size, stride)
    record.check()
    return record


def _is_size(value: Any) -> bool:
    axes = cast(tuple[Any, ...], value) if type(value) is tuple else None
    return axes is not None and len(axes) <= _MOST_AXES and all(type(n) is int and n >= 0 for n in axes)


_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), _Machine.nothing),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), _Machine.number),
    **dict.fromkeys(("BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _Machine.push),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "MARK": _Machine.mark,
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    "GLOBAL": lambda machine, argument: machine.name(*argument.split(" ", 1)),
    "STACK_GLOBAL": _Machine.stack_name,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.new,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
}
