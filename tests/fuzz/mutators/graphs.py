"""ONNX models: shapes, stored tensors, nodes and attributes that no exporter writes."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, cast

from onnx import AttributeProto, ModelProto, NodeProto, helper

from ..files import CONTROLS, File, Mutator, Seeds, odd_integer, odd_text

_OPERATORS = (
    *("Conv", "MatMul", "Gemm", "QuantizeLinear", "DequantizeLinear", "Transpose", "Identity", "Constant"),
    *("Reshape", "Slice", "Concat", "If", "Loop", "Scan", "Cast", "DepthToSpace", "NoSuchOp", "", CONTROLS),
)


def load_seed(random: Random, seeds: Seeds) -> tuple[File, ModelProto]:
    """Return one of the seeds and its model."""
    file = random.choice(seeds.onnx)
    return file, ModelProto.FromString(file.content)


def written(file: File, model: ModelProto) -> File:
    """Return the file with another model."""
    return file.holding(model.SerializeToString())


def sizes(random: Random, seeds: Seeds) -> File:
    """Shapes of inputs, outputs and stored tensors: huge, negative, of other ranks, not there."""
    file, model = load_seed(random, seeds)
    graph = model.graph
    for _ in range(random.choice((1, 1, 3))):
        entries: Sequence[Any] = [*graph.input, *graph.output, *graph.value_info]
        if random.random() < 0.5 and graph.initializer:
            tensor = random.choice(graph.initializer)
            dims = [*tensor.dims]
            del tensor.dims[:]
            tensor.dims.extend(_odd_dims(random, dims))
        else:
            shape = random.choice(entries).type.tensor_type.shape
            dims = _odd_dims(random, [dim.dim_value for dim in shape.dim])
            del shape.dim[:]
            for dim in dims:
                shape.dim.add(dim_value=dim)
    return written(file, model)


def _odd_dims(random: Random, dims: list[int]) -> list[int]:
    kind = random.randrange(5)
    huge = (1, 3, 2**17, 2**18), (2**31,) * 4, (2**62,) * 3, (1,) * 40, (0, 0), ()
    if kind == 0 or not dims:
        return [*random.choice(huge)]
    place = random.randrange(len(dims))
    if kind == 1:
        return dims[:place]
    if kind == 2:
        return [*dims[:place], 1, *dims[place:]]
    number = odd_integer(random)
    number = min(max(number, -(2**63)), 2**63 - 1)
    return [*dims[:place], number, *dims[place + 1 :]]


def stored(random: Random, seeds: Seeds) -> File:
    """Stored tensors: missing, doubled, renamed, of other types, with other amounts of data."""
    file, model = load_seed(random, seeds)
    tensors = model.graph.initializer
    for _ in range(random.choice((1, 1, 3)) if tensors else 0):
        place = random.randrange(len(tensors))
        tensor = tensors[place]
        kind = random.randrange(7)
        if kind == 0 and len(tensors) > 1:
            del tensors[place]
        elif kind == 1:
            tensors.append(tensor)
        elif kind == 2:
            tensor.name = plain_text(random)
        elif kind == 3:
            tensor.data_type = random.choice((*range(25), -1, 2**31 - 1))
        elif kind == 4:
            tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
        elif kind == 5:
            tensor.float_data.extend([1.0] * random.choice((1, 100)))
            if random.random() < 0.5:
                tensor.ClearField("raw_data")
        else:
            odd = random.choice((b"\xff", b"\0", b"\x7f\xc0", b"\x80"))
            tensor.raw_data = (odd * len(tensor.raw_data))[: len(tensor.raw_data)]
    return written(file, model)


def nodes(random: Random, seeds: Seeds) -> File:
    """Nodes: of other operators, without ends, doubled, moved, in circles, with odd attributes."""
    file, model = load_seed(random, seeds)
    found = model.graph.node
    for _ in range(random.choice((1, 1, 2, 5))):
        place = random.randrange(len(found))
        node = found[place]
        kind = random.randrange(9)
        if kind == 0 and len(found) > 1:
            del found[place]
        elif kind == 1:
            found.append(node)
        elif kind == 2:
            node.op_type = random.choice(_OPERATORS)
        elif kind == 3:
            node.domain = random.choice(("ai.onnx", "com.microsoft", "local", CONTROLS))
        elif kind == 4:
            _rewire(random, node, [name for other in found for name in (*other.input, *other.output)])
        elif kind == 5:
            node.name = plain_text(random)
        elif kind == 6 and node.attribute:
            del node.attribute[random.randrange(len(node.attribute))]
        else:
            _attribute(random, node)
    return written(file, model)


def _rewire(random: Random, node: NodeProto, names: list[str]) -> None:
    ends = random.choice((node.input, node.output))
    kind = random.randrange(4)
    if kind == 0 and ends:
        del ends[random.randrange(len(ends))]
    elif kind == 1 and ends:
        ends[random.randrange(len(ends))] = random.choice((*names, "", plain_text(random)))
    elif kind == 2:
        ends.append(random.choice(names))
    else:
        del ends[:]


def _attribute(random: Random, node: NodeProto) -> None:
    known = (
        "perm",
        "axis",
        "value",
        "value_ints",
        "to",
        "transB",
        "output_dtype",
        "pads",
        "blocksize",
        "then_branch",
    )
    name = random.choice((*known, *(one.name for one in node.attribute), plain_text(random)))
    kept = [one for one in node.attribute if one.name != name or random.random() < 0.3]
    small = max(min(odd_integer(random), 2**63 - 1), -(2**63))
    values: tuple[Any, ...] = (
        small,
        [small],
        [0, 0, 1],
        [5, 1],
        1.5,
        "text",
        CONTROLS,
        [1.5],
        b"\xff",
        [b"a"],
    )
    made = AttributeProto(name=name)
    if random.random() < 0.8:
        made = helper.make_attribute(name, random.choice(values))
    if random.random() < 0.1:
        made.type = cast(Any, random.choice(AttributeProto.AttributeType.values()))
    del node.attribute[:]
    node.attribute.extend([*kept, made])


def nested(random: Random, seeds: Seeds) -> File:
    """Graphs in attributes of nodes in graphs, up to depths that no reader takes."""
    file, model = load_seed(random, seeds)
    inner = model.graph.node[0].SerializeToString()
    for _ in range(random.choice((1, 10, 45, 60, 2000))):
        # GraphProto.node, then AttributeProto.g, then NodeProto.attribute: each a message in a message.
        inner = _message(4, b"If") + _message(
            5, _message(1, b"then_branch") + _message(6, _message(1, inner)) + b"\xa0\x01\x05"
        )
    return file.holding(file.content + _message(7, _message(1, inner)))


def _message(field: int, content: bytes) -> bytes:
    """Return one field of a message of protobuf whose content is bytes, text or a message."""
    length, size = bytearray(), len(content)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([field << 3 | 2, *length, size]) + content


def plain_text(random: Random) -> str:
    """Return an odd text that UTF-8 can hold."""
    return odd_text(random).encode("utf-8", "replace").decode()


MUTATORS: tuple[tuple[float, Mutator], ...] = ((3, sizes), (3, stored), (4, nodes), (1, nested))
