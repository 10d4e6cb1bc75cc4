"""What is built by strategies instead of by damage: read as it was written, or refused in one sentence."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spandrel_aethernet.engines.sidecar import document, read_sidecar
from spandrel_aethernet.errors import AetherError, CheckpointError, EngineError, ImageError
from spandrel_aethernet.images.files import read_picture
from spandrel_aethernet.model.arch import AetherNetArch
from spandrel_aethernet.model.io import parse_contents
from spandrel_aethernet.model.torch_file import read_torch_file

from .files import CONTROLS, Seeds
from .mutators.headers import framed
from .mutators.pictures import chunks_of, png
from .mutators.structures import loaded
from .pickling import archive, pickled, saved, tensor

FEW = settings(derandomize=True, database=None, deadline=None, max_examples=60)
DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)

T = TypeVar("T")
Json: TypeAlias = Any


def _tensor(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.ones(shape).to(dtype)


sides = st.integers(0, 5) | st.sampled_from((2**31, 2**40, 2**62, 2**63 - 1))
texts = st.text(max_size=8) | st.sampled_from((CONTROLS, "9" * 5000, "a" * 50_000))
shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
tensors = st.builds(_tensor, shapes, st.sampled_from(DTYPES))
numbers = st.integers(-(2**100), 2**100) | st.floats(allow_nan=False)
documents: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | numbers | st.just(10**4000) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
contents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts | tensors,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(texts | st.integers(-(2**31), 2**31), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@FEW
@given(content=contents, legacy=st.booleans())
def test_what_torch_saves_is_read_back(content: Any, legacy: bool) -> None:
    assert _plain(read_torch_file(saved(content, legacy=legacy))) == _plain(content)


def _answer(refusal: type[AetherError], call: Callable[[], T]) -> T | str:
    """Return what a call returns, or the sentence in which it refuses."""
    try:
        return call()
    except refusal as error:
        return str(error)


def _plain(content: Any) -> Any:
    """Return the same with tensors as what can be compared."""
    if isinstance(content, Tensor):
        return "tensor", content.dtype, content.tolist(), tuple(content.shape)
    if isinstance(content, list | tuple):
        inner = cast("list[Any] | tuple[Any, ...]", content)
        return type(inner), [_plain(one) for one in inner]
    if isinstance(content, dict):
        return {key: _plain(one) for key, one in cast("dict[Any, Any]", content).items()}
    return type(content), content


@FEW
@given(
    count=st.integers(0, 12),
    axes=st.lists(st.tuples(sides, sides), max_size=3),
    offset=st.integers(0, 3) | st.just(2**62),
)
def test_a_tensor_is_what_torch_makes_of_its_storage(
    count: int, axes: list[tuple[int, int]], offset: int
) -> None:
    size, stride = tuple(size for size, _ in axes), tuple(stride for _, stride in axes)
    storage = torch.arange(count, dtype=torch.float32)
    described = pickled({"a": tensor(count, size, stride, offset=offset)})
    content = archive(described, {"0": storage.numpy().tobytes()})
    try:
        expected = storage.as_strided(size, stride, offset)
    except (RuntimeError, OverflowError):
        expected = None
    if expected is None or expected.numel() > count:
        with pytest.raises(ValueError, match="is refused"):
            read_torch_file(content)
    else:
        assert torch.equal(read_torch_file(content)["a"], expected)


entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(("F32", "F16", "BF16", "I64", "U8", "BOOL", "F64", "C64", "X", None)),
        "shape": st.lists(sides | st.just(-1), max_size=3) | documents,
        "data_offsets": st.tuples(sides, sides) | documents,
    }
)


@FEW
@given(header=st.dictionaries(texts | st.just("__metadata__"), entries | documents, max_size=3))
def test_a_safetensors_header_gives_no_more_than_its_file(header: dict[str, Json]) -> None:
    data = bytes(64)
    content = framed(json.dumps(header), data)
    found = _answer(CheckpointError, lambda: parse_contents(Path("odd.safetensors"), content))
    if isinstance(found, str):
        assert found.startswith("odd.safetensors ")
    else:
        assert sum(one.numel() * one.element_size() for one in found.values()) <= len(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("structured")


@FEW
@given(changes=st.data())
def test_a_description_is_refused_or_written_as_it_was_read(
    changes: st.DataObject, seeds: Seeds, folder: Path
) -> None:
    file = next(one for one in seeds.engines if one.name == "classic.plan")
    engine, (name, sound) = file.write(folder), *file.beside.items()
    known: dict[str, Json] = json.loads(sound)
    changed = changes.draw(st.dictionaries(st.sampled_from(sorted(known)), documents, max_size=2))
    beside = folder / name
    beside.write_text(json.dumps({**known, **changed}), encoding="utf-8")
    info = _answer(EngineError, lambda: read_sidecar(engine))
    if isinstance(info, str):
        assert str(engine) in info
    else:
        assert info is not None
        beside.write_text(document(info), encoding="utf-8")
        assert read_sidecar(engine) == info


@FEW
@given(
    width=st.integers(0, 30) | st.sampled_from((2**16, 2**31 - 1, 2**32 - 1)),
    height=st.integers(0, 30) | st.sampled_from((2**16, 2**31 - 1, 2**32 - 1)),
    rest=st.binary(min_size=5, max_size=5) | st.just(b"\x08\x02\0\0\0"),
)
def test_a_picture_has_the_sides_that_its_header_tells(
    width: int, height: int, rest: bytes, seeds: Seeds, folder: Path
) -> None:
    file = next(one for one in seeds.images if one.name == "rgb.png")
    header = struct.pack(">II", width, height) + rest
    path = file.holding(png([(b"IHDR", header), *chunks_of(file.content)[1:]])).write(folder)
    picture = _answer(ImageError, lambda: read_picture(path))
    if isinstance(picture, str):
        assert str(path) in picture
    else:
        assert picture.pixels.shape[:2] == (height, width)


parts = st.sampled_from(
    ("layers", "0", "1", "9" * 5000, "conv", "lk_conv", "fused_conv", "upsample", "weight", "scale")
) | st.text(max_size=5)


@FEW
@given(keys=st.lists(st.lists(parts, min_size=1, max_size=6).map(".".join), max_size=3))
def test_other_keys_are_refused_by_name(keys: list[str], seeds: Seeds) -> None:
    sound = loaded(seeds.folder / "checkpoints" / "plain.pth")
    more = {*keys} - {*sound}
    state_dict = {**sound, **dict.fromkeys(more, torch.ones(3))}
    found = _answer(CheckpointError, lambda: AetherNetArch().load(state_dict))
    if isinstance(found, str):
        assert len(found) < 4000
    assert isinstance(found, str) == bool(more)
