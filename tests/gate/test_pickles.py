"""The interpreter of pickles: what it takes is what torch.save writes, and nothing else."""

from __future__ import annotations

import os
import pickle
import pickletools
from collections import OrderedDict
from io import BytesIO
from typing import Any

import pytest

from spandrel_aethernet.gate.limits import PICKLE_STEPS
from spandrel_aethernet.gate.pickles import CodeError, read_pickle
from spandrel_aethernet.gate.records import Storage, TensorRecord

FLOATS = pickle.PROTO + b"\x02ctorch._utils\n_rebuild_tensor_v2\n("
"""The start of a tensor: the function, and the mark of its arguments."""


def read(content: bytes) -> Any:
    return read_pickle(BytesIO(content), lambda record: record)


def tensor(numel: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """Return the pickle of a tensor in a storage of `numel` floats."""
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0aX\x03\0\0\0cpu" + number(numel) + b"tQ"
    axes = b"".join(b"(" + b"".join(map(number, axis)) + b"t" for axis in (size, stride))
    return FLOATS + storage + number(offset) + axes + b"\x89)tR."


def number(value: int) -> bytes:
    """Return the instruction that makes a number, as pickle itself writes it."""
    return pickle.dumps(value, 2)[2:-1]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_are_themselves(protocol: int) -> None:
    value = {"a": [1, -2, 3.5, None, True, False], "b": ((), ("x",), (1, 2, 3, 4)), 7: {"é": 2**70}}
    assert read(pickle.dumps(value, protocol)) == value
    shared = ["x"]
    first, second = read(pickle.dumps([shared, shared], protocol))
    assert first is second


def test_an_ordered_dict_is_a_dictionary_without_its_attributes() -> None:
    made: OrderedDict[str, Any] = OrderedDict(a=1)
    made._metadata = {"": {"version": 1}}  # pyright: ignore  (as PyTorch does)
    assert read(pickle.dumps(made, 2)) == {"a": 1}
    assert type(read(pickle.dumps(made, 2))) is dict


def test_a_tensor_is_what_the_caller_makes_of_it() -> None:
    expected = TensorRecord(Storage("FloatStorage", "a", 12), 2, (3, 2), (2, 1))
    assert read(tensor(12, 2, (3, 2), (2, 1))) == expected


@pytest.mark.parametrize(
    ("numel", "offset", "size", "stride"),
    [
        (1, 0, (2 * 10**10,), (0,)),  # 80 GB of one value
        (8, 0, (3, 3), (3, 1)),
        (9, 1, (3, 3), (3, 1)),
        (9, -1, (3,), (1,)),
        (9, 0, (3,), (-1,)),
        (9, 0, (3, 3), (1,)),
        (2**100, 2**99, (2**98, 2), (2, 2**99)),
        (9, 0, (1,) * 65, (1,) * 65),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(
    numel: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(tensor(numel, offset, size, stride))


class Calls:
    """Pickled, it asks for a function to be called."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.getenv, ("HOME",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Calls(), 2),
        pickle.dumps(Calls(), 4),
        pickle.dumps({1, 2}, 4),
        pickle.dumps(TensorRecord(Storage("", "", 0), 0, (), ()), 2),
        b"\x80\x02cbuiltins\neval\n.",
        b"\x80\x02(i__main__\nX\n.",
    ],
)
def test_other_names_and_instructions_are_code(content: bytes) -> None:
    with pytest.raises(CodeError, match="pickled code"):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02.",
        b"\x80\x02K\x01K\x02.",  # two values
        b"\x80\x02}K\x01s.",
        b"\x80\x02}(K\x01u.",
        b"\x80\x02})K\x01s.",  # a tuple as key
        b"\x80\x02}\x8a\x08" + b"\x7f" * 8 + b"K\x01s.",  # a key of 63 bits
        b"\x80\x02K\x01K\x02a.",
        b"\x80\x02(((t",
        b"\x80\x02h\x07.",
        b"\x80\x02K\x01K\x02R.",
        b"\x80\x02ccollections\nOrderedDict\n]K\x01a\x85R.",
        b"\x80\x02K\x01}b.",
        b"\x80\x02X\xff\xff\xff\x7fshort.",
        b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".",
        b"\x80\x02)Q.",
    ],
    ids=repr,
)
def test_a_damaged_pickle_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(content)


def test_the_steps_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    content = pickle.dumps(list(range(100)), 2)
    monkeypatch.setenv(PICKLE_STEPS.variable, "100")
    with pytest.raises(ValueError, match=f"more than 100 instructions: {PICKLE_STEPS.variable} allows more"):
        read(content)
    monkeypatch.setenv(PICKLE_STEPS.variable, str(len(list(pickletools.genops(content)))))
    assert read(content) == list(range(100))


def test_pickles_follow_one_another() -> None:
    file = BytesIO(pickle.dumps(1, 2) + pickle.dumps(["x"], 2) + b"rest")
    assert read_pickle(file, lambda record: record) == 1
    assert read_pickle(file, lambda record: record) == ["x"]
    assert file.read() == b"rest"


def test_a_value_nested_deeply_is_let_go_without_harm() -> None:
    value = read(b"\x80\x02)" + b"\x85" * 200_000 + b".")
    assert type(value) is tuple
