"""Files of torch.save read without torch.load: the same tensors, and none of what else such files can do."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.gate.pickles import CodeError
from spandrel_aethernet.model.torch_file import read_torch_file

DTYPES = (
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
)


def saved(content: Any, *, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def unchanged(name: str, content: bytes) -> tuple[str, bytes]:
    return name, content


def without(left_out: str) -> Callable[[], bytes]:
    return lambda: changed(lambda name, content: None if name == left_out else (name, content))


def changed(change: Callable[[str, bytes], tuple[str, bytes] | None], compression: int = 0) -> bytes:
    """Return a small archive with its entries changed or left out, by their names within its folder."""
    buffer = io.BytesIO()
    before = zipfile.ZipFile(io.BytesIO(saved({"a": torch.ones(3)})))
    with before, zipfile.ZipFile(buffer, "w", compression) as after:
        for name in before.namelist():
            folder, _, short = name.partition("/")
            if kept := change(short, before.read(name)):
                after.writestr(f"{folder}/{kept[0]}", kept[1])
    return buffer.getvalue()


ZIPPED = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older format"])


@ZIPPED
def test_tensors_are_those_that_torch_loads(zipped: bool) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    content: dict[str, Any] = {str(dtype): torch.tensor([0, 1, 1, 0]).to(dtype) for dtype in DTYPES}
    content |= {"part": whole[1:3, ::2], "turned": whole.T, "whole": whole, "none": torch.empty(0, 3)}
    content |= {"scalar": torch.tensor(2.5), "weight": torch.nn.Parameter(torch.ones(2))}
    content |= {"ordered": OrderedDict(a=whole), "other": ["x", (1, 2.5, None, True)]}
    file = saved(content, zipped=zipped)
    found, expected = read_torch_file(file), torch.load(io.BytesIO(file), weights_only=True)
    assert list(found) == list(expected)
    assert found["other"] == expected["other"]
    assert torch.equal(found["ordered"]["a"], whole)
    for key in content.keys() - {"ordered", "other"}:
        assert torch.equal(found[key], expected[key])
        assert (found[key].dtype, found[key].stride()) == (expected[key].dtype, expected[key].stride())
    assert found["part"].untyped_storage().data_ptr() == found["whole"].untyped_storage().data_ptr()


@ZIPPED
def test_the_demo_checkpoint_is_the_same_in_both_formats(zipped: bool) -> None:
    expected: dict[str, Tensor] = torch.load(DEMO_MODEL, weights_only=True)["params"]
    found: dict[str, Tensor] = read_torch_file(saved(expected, zipped=zipped))
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())


def test_tensors_can_be_changed_and_leave_the_file_alone() -> None:
    file = saved({"a": torch.ones(3)})
    read_torch_file(file)["a"].fill_(7)
    assert torch.equal(read_torch_file(file)["a"], torch.ones(3))


class Calls:
    """Pickled, it asks for a function to be called."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


def script() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), buffer)  # pyright: ignore
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize(
    ("make", "holds"),
    [
        (lambda: saved({"a": Calls()}), r"pickled code \(.*print\)"),
        (lambda: saved({"a": Calls()}, zipped=False), r"pickled code \(.*print\)"),
        (script, r"a program \(TorchScript\)"),
    ],
    ids=["zip", "older format", "script"],
)
def test_code_is_refused_and_not_run(
    make: Callable[[], bytes], holds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CodeError, match=f"^is refused, because it holds {holds}: get a checkpoint"):
        read_torch_file(make())
    assert capsys.readouterr().out == ""


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    return buffer.getvalue()


def twice(name: str, content: bytes) -> tuple[str, bytes]:
    return name.replace("version", "data.pkl"), content


OLD = saved({"a": torch.ones(3)}, zipped=False)
FILES: list[tuple[str, Callable[[], bytes], str]] = [
    ("nothing", lambda: b"", "is empty"),
    ("tar", tar, "is not a PyTorch file"),
    ("cut zip", lambda: saved({"a": torch.ones(3)})[:-30], "is truncated"),
    (
        "compressed",
        lambda: changed(unchanged, zipfile.ZIP_DEFLATED),
        "are compressed or encrypted",
    ),
    ("entry twice", lambda: changed(twice), "two entries of one name"),
    ("no pickle", without("data.pkl"), "entry data.pkl is missing"),
    ("no storage", without("data/0"), "entry data/0 is missing"),
    (
        "short storage",
        lambda: changed(lambda name, content: (name, content[:-4] if name == "data/0" else content)),
        "storage 0 has 8 bytes: not 3 values",
    ),
    (
        "other byte order",
        lambda: changed(lambda name, content: (name, b"big" if name == "byteorder" else content)),
        "another machine's byte order",
    ),
    ("cut old", lambda: OLD[:-4], "storage .* announces more bytes than the file has"),
    ("cut old pickle", lambda: OLD[:100], "is damaged, truncated or no PyTorch checkpoint"),
    ("other pickle", lambda: b"\x80\x02K\x05.", "it does not start as one"),
]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("make", "said"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_damaged_file_is_told(make: Callable[[], bytes], said: str) -> None:
    with pytest.raises(ValueError, match=f"^(is .*)?{said}"):
        read_torch_file(make())


def test_a_storage_that_announces_gigabytes_takes_none() -> None:
    file = changed(lambda name, content: (name, content.replace(b"K\x03t", b"J\xff\xff\xff\x7ft")))
    with pytest.raises(ValueError, match="storage 0 has 12 bytes: not 2147483647 values"):
        read_torch_file(file)
