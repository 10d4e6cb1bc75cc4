"""ONNX models that crashed the linter, took all memory, or were read from where they must not be."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from onnx import ModelProto, NodeProto, TensorProto, helper

from ..files import CONTROLS, File, Seeds
from .breaker import Breaker, Make, fixed, pipe

_LINT = {"lint": "1", "lint --json": "1", "open_source": "OnnxError"}
_ALL = {**_LINT, "upscale -m": "1"}
_KEY = "spandrel_aethernet"


def _model(change: Callable[[ModelProto], object], name: str = "fp32.onnx") -> Make:
    def make(seeds: Seeds) -> File:
        file = next(one for one in seeds.onnx if one.name == name)
        model = ModelProto.FromString(file.content)
        change(model)
        return file.holding(model.SerializeToString())

    return make


def _shapes(*dims: int) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        for entry in (*model.graph.input, *model.graph.output):
            shape = entry.type.tensor_type.shape
            del shape.dim[:]
            for dim in dims:
                shape.dim.add(dim_value=dim)

    return change


def _filled(model: ModelProto) -> None:
    """Let the network make 384 GiB of one number."""
    shape = helper.make_tensor("sizes", TensorProto.INT64, [3], [3, 2**17, 2**18])
    model.graph.initializer.append(shape)
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["sizes"], ["filled"]))
    model.graph.node.append(helper.make_node("ReduceMax", ["filled"], ["largest"]))


def _function(*bodies: list[NodeProto]) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        opset = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
        for number, body in enumerate(bodies):
            model.functions.append(helper.make_function("local", f"f{number}", ["a"], ["b"], body, opset))
        model.opset_import.append(helper.make_opsetid("local", 1))
        model.graph.node.insert(0, helper.make_node("f0", ["input"], ["called"], domain="local"))

    return change


def _call(number: int) -> NodeProto:
    return helper.make_node(f"f{number}", ["a"], ["b"], domain="local")


def _external(**entries: str) -> Make:
    def change(model: ModelProto) -> None:
        for tensor in model.graph.initializer:
            known = {entry.key: entry.value for entry in tensor.external_data} | entries
            del tensor.external_data[:]
            for key, value in known.items():
                tensor.external_data.add(key=key, value=value)

    return _model(change, "external.onnx")


def _metadata(text: str) -> Make:
    def change(model: ModelProto) -> None:
        del model.metadata_props[:]
        model.metadata_props.add(key=_KEY, value=text)

    return _model(change)


def _named(name: str) -> Make:
    """Return what makes a model of that file name, and no model."""
    return fixed(File(name, b"no model"))


def _long(model: ModelProto) -> None:
    for node in model.graph.node:
        node.name, node.op_type = "a" * 100_000, "b" * 100_000


def _inputs(name: str) -> Make:
    """Return what makes a model whose input and output have other names."""

    def change(model: ModelProto) -> None:
        model.graph.input[0].name, model.graph.output[0].name = name, f"{name}2"

    return _model(change)


def _signalling(model: ModelProto) -> None:
    """Fill a weight with NaNs of the kind that processors report."""
    tensor = model.graph.initializer[0]
    tensor.raw_data = b"\x00\x00\xa0\x7f" * (len(tensor.raw_data) // 4)


def _renamed(model: ModelProto) -> None:
    for node in model.graph.node:
        node.name = f"node{CONTROLS}"
        node.op_type = f"Odd{CONTROLS}" if node.op_type == "Conv" else node.op_type


BREAKERS: Mapping[str, Breaker] = {
    "pipe .onnx": Breaker("hang", pipe(".onnx"), _ALL),
    "input of 384 GiB": Breaker(
        "end in a MemoryError", _model(_shapes(1, 3, 2**17, 2**18)), {"upscale -m": "1", "open_source": ""}
    ),
    "input of 2**62 pixels": Breaker(
        "end in a ValueError of numpy",
        _model(_shapes(1, 3, 2**31, 2**31)),
        {"upscale -m": "1", "open_source": ""},
    ),
    "tensor of 384 GiB on the way": Breaker(
        "be run, until the memory was not enough",
        _model(_filled),
        {"lint": "", "open_source": "", "upscale -m": "1"},
    ),
    "function that calls itself": Breaker(
        "end in a ValidationError of onnx", _model(_function([_call(0)])), _ALL
    ),
    "functions in a circle": Breaker(
        "end in a ValidationError of onnx", _model(_function([_call(1)], [_call(0)])), _ALL
    ),
    "weight of signalling NaNs": Breaker(
        "be read with a warning of numpy",
        _model(_signalling),
        {"lint": "", "lint --json": "", "open_source": ""},
    ),
    "data at a name with NUL": Breaker("end in a ValueError of os", _external(location="a\0b"), _ALL),
    "data at a name of 100,000 characters": Breaker(
        "be named in full, over screens", _external(location="a" * 100_000), _ALL
    ),
    "data of 4 exabytes": Breaker("end in a MemoryError", _external(length=str(2**62)), _ALL),
    "data of a length over 64 bits": Breaker("end in an OverflowError", _external(length=str(2**80)), _ALL),
    "data at a name with terminal codes": Breaker("act on the terminal", _external(location=CONTROLS), _ALL),
    "deep metadata": Breaker(
        "end in a RecursionError of json", _metadata("[" * 200_000), {"open_source": "", "lint": ""}
    ),
    "nodes with long names": Breaker("run on after 10 s", _model(_long), {**_ALL, "open_source": ""}),
    "inputs with long names": Breaker(
        "run on after 10 s", _inputs("a" * 100_000), {**_ALL, "open_source": ""}
    ),
    "inputs with terminal codes": Breaker(
        "act on the terminal", _inputs(CONTROLS), {**_ALL, "open_source": ""}
    ),
    "ONNX file name with terminal codes": Breaker("act on the terminal", _named(f"m{CONTROLS}.onnx"), _ALL),
    "nodes with terminal codes": Breaker(
        "act on the terminal", _model(_renamed), {**_ALL, "open_source": ""}
    ),
}
