"""Models that hold less than they announce, or unfold to more than anything should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from spandrel_aethernet.errors import OnnxError
from spandrel_aethernet.inference.onnx import OnnxBackend
from spandrel_aethernet.onnx_model.bounds import check_bounds
from spandrel_aethernet.onnx_model.memory import check_memory
from spandrel_aethernet.onnx_model.read import read_onnx

from ..inference.onnx_files import ANY_SIZE, keep_weights_in, value, write_graph, write_onnx

IMAGE = (1, 3, 64, 48)


def model_of(path: Path) -> ModelProto:
    return onnx.load_model_from_string(write_onnx(path / "net.onnx").read_bytes())


def announce_too_much(model: ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 2**40


def announce_in_typed_data(model: ModelProto) -> None:
    model.graph.initializer.append(TensorProto(name="t", data_type=1, dims=[5], float_data=[1.0] * 4))


def announce_less_than_nothing(model: ModelProto) -> None:
    model.graph.initializer.append(TensorProto(name="t", data_type=1, dims=[-1], float_data=[1.0]))


def announce_in_an_attribute(model: ModelProto) -> None:
    tensor = TensorProto(name="t", data_type=1, dims=[2**30], raw_data=b"\0" * 8)
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def announce_in_a_function(model: ModelProto) -> None:
    tensor = TensorProto(name="t", data_type=10, dims=[5], raw_data=b"\0" * 8)
    body = [helper.make_node("Constant", [], ["b"], value=tensor)]
    model.functions.append(helper.make_function("local", "f", [], ["b"], body, []))


def announce_sparsely(model: ModelProto) -> None:
    values, indices = (numpy_helper.from_array(np.ones(1, dtype), "s") for dtype in (np.float32, np.int64))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2**20, 2**20]))


def call(model: ModelProto, *calls: tuple[str, list[str]]) -> None:
    """Add functions, each given by its name and those it calls."""
    for name, called in calls:
        body = [helper.make_node(one, ["a"], ["b"], domain="local") for one in called]
        model.functions.append(helper.make_function("local", name, ["a"], ["b"], body, []))


DEEP = [(f"f{number}", [f"f{number + 1}"]) for number in range(200)]
DOUBLING = [(f"f{number}", [f"f{number + 1}"] * 2) for number in range(40)]

BAD: dict[str, tuple[Callable[[ModelProto], None], str]] = {
    "raw": (announce_too_much, "kernel is damaged: its data do not fill its shape"),
    "typed": (announce_in_typed_data, "t is damaged"),
    "negative": (announce_less_than_nothing, "t is damaged"),
    "attribute": (announce_in_an_attribute, "t is damaged"),
    "function": (announce_in_a_function, "t is damaged"),
    "sparse": (announce_sparsely, "s announces more than 134217728 values"),
    "circle": (lambda model: call(model, ("f", ["g"]), ("g", ["f"])), "or in a circle"),
    "itself": (lambda model: call(model, ("f", ["f"])), "or in a circle"),
    "deep": (lambda model: call(model, *DEEP), "call one another more than 50 deep"),
    "doubling": (lambda model: call(model, *DOUBLING), "unfolds to more than 100000 operators"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_announces_or_unfolds_to_too_much_is_refused(name: str, tmp_path: Path) -> None:
    model = model_of(tmp_path)
    change, sentence = BAD[name]
    change(model)
    (tmp_path / "bad.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(OnnxError, match=sentence) as raised:
        OnnxBackend(tmp_path / "bad.onnx")
    assert str(raised.value).startswith(str(tmp_path / "bad.onnx"))


def test_graphs_nested_too_deep_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANDREL_AETHERNET_MAX_DEPTH", "5")  # protobuf itself stops at some 33
    model = model_of(tmp_path)
    graph = helper.make_graph([], "inner", [], [])
    for _ in range(7):
        graph = helper.make_graph([helper.make_node("If", [], ["y"], then_branch=graph)], "g", [], [])
    model.graph.node.append(graph.node[0])
    with pytest.raises(OnnxError, match="graphs are nested more than 5 deep"):
        check_bounds(model)


@pytest.mark.parametrize("bits", ["INT4", "FLOAT16", "COMPLEX64", "BOOL", "STRING"])
def test_every_way_to_store_values_is_counted(bits: str, tmp_path: Path) -> None:
    model = model_of(tmp_path)
    values: Any = [b"a"] * 6 if bits == "STRING" else [1] * 6
    number = TensorProto.DataType.Value(bits)
    model.graph.initializer.append(helper.make_tensor("t", number, [6], values))
    check_bounds(model)
    model.graph.initializer[-1].dims[0] = 7
    with pytest.raises(OnnxError, match="t is damaged"):
        check_bounds(model)


PLACES: list[tuple[dict[str, str], str]] = [
    ({"location": "\0"}, "outside its own folder"),
    ({"location": "data\0"}, "outside its own folder"),
    ({"location": "in/../data"}, "outside its own folder"),
    ({"location": "in\\..\\..\\data"}, "outside its own folder"),
    ({"location": "C:\\data"}, "outside its own folder"),
    ({"location": "up/data"}, "outside its own folder"),
    ({"location": "circle"}, "outside its own folder|cannot be read"),
    ({"location": "."}, "cannot be read"),
    ({"location": "a" * 5000}, "cannot be read|outside its own folder"),
    ({"offset": "-1"}, "has no readable place in data"),
    ({"offset": "9" * 5000}, "has no readable place in data"),
    ({"offset": "1"}, "which is truncated"),
    ({"offset": str(2**62)}, "which is truncated"),
    ({"length": "-5"}, "has no readable place in data"),
    ({"length": str(2**62)}, "which is truncated"),
    ({"length": "4"}, "has 4 bytes in data, its shape takes 1296"),
]


@pytest.mark.parametrize(("entries", "sentence"), PLACES)
def test_a_place_that_is_none_is_said(entries: dict[str, str], sentence: str, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "folder" / "net.onnx")
    keep_weights_in(path, "data")
    (tmp_path / "data").write_bytes(b"secret" * 999)
    (path.parent / "in").mkdir()
    (path.parent / "up").symlink_to("..")
    (path.parent / "circle").symlink_to("circle")
    model = onnx.load_model_from_string(path.read_bytes())
    (tensor,) = model.graph.initializer
    places = {entry.key: entry for entry in tensor.external_data}
    for key, text in entries.items():
        places[key].value = text
    path.write_bytes(model.SerializeToString())
    with pytest.raises(OnnxError, match=sentence) as raised:
        read_onnx(path)
    assert str(raised.value).startswith(str(path))


def test_the_same_data_many_times_over_are_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    keep_weights_in(path, "data")
    model = onnx.load_model_from_string(path.read_bytes())
    for number in range(9):
        model.graph.initializer.append(model.graph.initializer[0])
        model.graph.initializer[-1].name = f"again {number}"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(OnnxError, match="reads the same data more than 4 times over"):
        read_onnx(path)


BOMBS = {
    "ConstantOfShape": ([2**16, 2**16, 3], ["fill"]),
    "Expand": ([2**16, 2**16, 3, 1, 1, 1], ["x", "fill"]),
    "Tile": ([1, 1, 2**16, 2**16], ["x", "fill"]),
}


@pytest.mark.parametrize("op", BOMBS)
def test_an_operator_that_fills_the_memory_is_refused_before_anything_runs(op: str, tmp_path: Path) -> None:
    shape, inputs = BOMBS[op]
    nodes = [
        helper.make_node(op, inputs, ["huge"]),
        helper.make_node("ReduceMax", ["huge"], ["one"]),
        helper.make_node("Add", ["x", "one"], ["y"]),
    ]
    output = value("y", ANY_SIZE)
    output.type.tensor_type.ClearField("shape")
    path = write_graph(
        tmp_path / "net.onnx", nodes, [value("x", ANY_SIZE)], [output], {"fill": np.array(shape, np.int64)}
    )
    with pytest.raises(OnnxError, match=r"makes .* values \(huge\) of an input of 1×3×64×48"):
        OnnxBackend(path)


def test_large_fixed_inputs_may_have_what_fits_them(tmp_path: Path) -> None:
    nodes = [helper.make_node("Tile", ["x", "fill"], ["y"])]
    sizes = {"fill": np.array([1, 512, 1, 1], np.int64)}
    inputs = [value("x", (1, 3, 1080, 1920))]
    path = write_graph(tmp_path / "net.onnx", nodes, inputs, [value("y", ANY_SIZE)], sizes)
    check_memory(onnx.load_model_from_string(path.read_bytes()), IMAGE)


def test_a_fixed_size_that_no_image_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OnnxError, match="takes 1×3×131072×262144 only, more than the 134217728 values"):
        OnnxBackend(write_onnx(tmp_path / "net.onnx", shape=(1, 3, 2**17, 2**18)))
