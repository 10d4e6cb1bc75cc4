"""ONNX models that crashed the linter, took all memory, or were read from where they must not be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

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


def _stored_as(*dims: int) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        tensor = model.graph.initializer[0]
        del tensor.dims[:]
        tensor.dims.extend(dims)

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


def _transposed(*perm: int) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        weight = model.graph.initializer[0].name
        model.graph.node.insert(0, helper.make_node("Transpose", [weight], ["turned"], perm=list(perm)))

    return change


def _external(**entries: str) -> Make:
    def change(model: ModelProto) -> None:
        for tensor in model.graph.initializer:
            known = {entry.key: entry.value for entry in tensor.external_data} | entries
            del tensor.external_data[:]
            for key, value in known.items():
                tensor.external_data.add(key=key, value=value)

    return _model(change, "external.onnx")


def _linked(seeds: Seeds) -> File:
    return replace(_external(location="link.bin")(seeds), links={"link.bin": "/etc/hostname"})


def _metadata(text: str) -> Make:
    def change(model: ModelProto) -> None:
        del model.metadata_props[:]
        model.metadata_props.add(key=_KEY, value=text)

    return _model(change)


def _described(**values: object) -> Make:
    def change(model: ModelProto) -> None:
        document = json.loads(model.metadata_props[0].value)
        model.metadata_props[0].value = json.dumps({**document, **values})

    return _model(change, "metadata.onnx")


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


def _renamed(model: ModelProto) -> None:
    for node in model.graph.node:
        node.name = f"node{CONTROLS}"
        node.op_type = f"Odd{CONTROLS}" if node.op_type == "Conv" else node.op_type


def _rank(model: ModelProto) -> None:
    """Give a weight of int8 no axes at all, and its scales five."""
    for tensor in model.graph.initializer:
        if tensor.name == "weight":
            del tensor.dims[:]
            tensor.raw_data = tensor.raw_data[:1]
        if tensor.name == "weight_scale":
            tensor.dims.extend([1, 1, 1, 1])


def _axis(model: ModelProto) -> None:
    for node in model.graph.node:
        if node.name == "weights":
            del node.attribute[:]
            node.attribute.append(helper.make_attribute("axis", "text"))


BREAKERS: Mapping[str, Breaker] = {
    "pipe .onnx": Breaker("?", pipe(".onnx"), _ALL),
    "input of 384 GiB": Breaker(
        "?", _model(_shapes(1, 3, 2**17, 2**18)), {"upscale -m": "1", "open_source": ""}
    ),
    "input of 2**62 pixels": Breaker(
        "?", _model(_shapes(1, 3, 2**31, 2**31)), {"upscale -m": "1", "open_source": ""}
    ),
    "weight of 384 GiB": Breaker("?", _model(_stored_as(3, 2**17, 2**18)), _ALL),
    "weight of 2**186 numbers": Breaker("?", _model(_stored_as(2**62, 2**62, 2**62)), _ALL),
    "tensor of 384 GiB on the way": Breaker(
        "?", _model(_filled), {"lint": "", "open_source": "", "upscale -m": "1"}
    ),
    "function that calls itself": Breaker("?", _model(_function([_call(0)])), _ALL),
    "functions in a circle": Breaker("?", _model(_function([_call(1)], [_call(0)])), _ALL),
    "transposed by too many axes": Breaker(
        "?", _model(_transposed(5, 4, 3, 2, 1, 0)), {**_ALL, "open_source": ""}
    ),
    "transposed by huge axes": Breaker("?", _model(_transposed(2**62, 0, 1, 2)), {**_ALL, "open_source": ""}),
    "weight of no axes": Breaker("?", _model(_rank, "int8.onnx"), {**_ALL, "open_source": ""}),
    "axis that is a text": Breaker("?", _model(_axis, "int8.onnx"), {**_ALL, "open_source": ""}),
    "data at a name with NUL": Breaker("?", _external(location="a\0b"), _ALL),
    "data at a name of 100,000 characters": Breaker("?", _external(location="a" * 100_000), _ALL),
    "data in another folder": Breaker("?", _external(location="../current/secret"), _ALL),
    "data at an absolute place": Breaker("?", _external(location="/etc/hostname"), _ALL),
    "data behind a link": Breaker("?", _linked, _ALL),
    "data at a place of thousands of digits": Breaker("?", _external(offset="9" * 5000), _ALL),
    "data at a place over 64 bits": Breaker("?", _external(offset=str(2**80)), _ALL),
    "data of 4 exabytes": Breaker("?", _external(length=str(2**62)), _ALL),
    "data of a length over 64 bits": Breaker("?", _external(length=str(2**80)), _ALL),
    "data at a name with terminal codes": Breaker(
        "?", _external(location=CONTROLS.replace("\x00", "")), _ALL
    ),
    "deep metadata": Breaker("?", _metadata("[" * 200_000), {"open_source": "", "lint": ""}),
    "metadata of thousands of digits": Breaker(
        "?", _metadata("9" * 100_000), {"open_source": "", "lint": ""}
    ),
    "metadata with a huge scale": Breaker(
        "?", _described(scale=10**4000), {"open_source": "", "upscale -m": ""}
    ),
    "metadata with a huge profile": Breaker(
        "?", _described(profile=dict.fromkeys(("batch", "height", "width"), "9" * 6000)), {"open_source": ""}
    ),
    "nodes with long names": Breaker("?", _model(_long), {**_ALL, "open_source": ""}),
    "inputs with long names": Breaker("?", _inputs("a" * 100_000), {**_ALL, "open_source": ""}),
    "inputs with terminal codes": Breaker(
        "?", _inputs(CONTROLS.replace("\x00", "")), {**_ALL, "open_source": ""}
    ),
    "ONNX file name with terminal codes": Breaker("?", _named(f"m{CONTROLS}.onnx"), _ALL),
    "nodes with terminal codes": Breaker("?", _model(_renamed), {**_ALL, "open_source": ""}),
}
