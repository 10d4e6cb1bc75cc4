"""ONNX models: versions, metadata, external data and functions that no exporter writes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from onnx import ModelProto, StringStringEntryProto, helper

from ..files import CONTROLS, File, Mutator, Seeds, odd_integer
from .documents import damaged_text
from .graphs import load_seed, plain_text, written


def headers(random: Random, seeds: Seeds) -> File:
    """Versions, operator sets, names, and texts that programs print."""
    file, model = load_seed(random, seeds)
    number = max(min(odd_integer(random), 2**63 - 1), -(2**63))
    kind = random.randrange(6)
    if kind == 0:
        model.ir_version = number
    elif kind == 1:
        del model.opset_import[:]
        if random.random() < 0.7:
            model.opset_import.add(domain=random.choice(("", "ai.onnx", "x")), version=number)
    elif kind == 2:
        model.opset_import[0].version = random.choice((1, 6, 9, 10, 13, 19, 23, 999))
    elif kind == 3:
        model.graph.name, model.producer_name = plain_text(random), plain_text(random)
    elif kind == 4:
        random.choice((*model.graph.input, *model.graph.output)).name = plain_text(random)
    else:
        del random.choice((model.graph.input, model.graph.output))[:]
    return written(file, model)


def metadata(random: Random, seeds: Seeds) -> File:
    """The JSON document that an exported model carries."""
    file, model = load_seed(random, seeds)
    props = [prop for prop in model.metadata_props if prop.key == "spandrel_aethernet"]
    prop = props[0] if props else StringStringEntryProto(key="spandrel_aethernet", value="{}")
    prop.value = damaged_text(random, prop.value).encode("utf-8", "replace").decode()
    if not props or random.random() < 0.2:
        model.metadata_props.append(prop)
    return written(file, model)


def external(random: Random, seeds: Seeds) -> File:
    """Where tensors lie outside of the file: nowhere, elsewhere, beyond the end, through links."""
    file = next(one for one in seeds.onnx if one.beside)
    model = ModelProto.FromString(file.content)
    kept = next(iter(file.beside))
    tensors = [one for one in model.graph.initializer if one.data_location == one.EXTERNAL]
    links = {
        "link.bin": random.choice(("/etc/hostname", "../secret", kept, "link.bin", "/dev/zero")),
        "up": "..",
    }
    places = (
        "",
        "\0",
        f"{kept}\0",
        "/etc/hostname",
        "../secret",
        "link.bin",
        "up/up/x",
        ".",
        "a" * 5000,
        CONTROLS,
        "/dev/zero",
    )
    for tensor in random.sample(tensors, random.choice((1, len(tensors)))):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        number = random.choice((str(odd_integer(random)), "9" * 5000, "1e3", "", " 5", "0x10", "٣"))
        entries[random.choice(("location", "offset", "length", "offset", "length"))] = number
        if random.random() < 0.6:
            entries["location"] = random.choice(places)
        del tensor.external_data[:]
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
    return replace(written(file, model), links=links)


def functions(random: Random, seeds: Seeds) -> File:
    """Functions of the model's own: calling themselves, each other, many times over, or nothing."""
    file, model = load_seed(random, seeds)
    count = random.choice((1, 2, 12, 25))
    kind = random.randrange(4)
    domain = random.choice(("local", "local", "", CONTROLS))
    for number in range(count):
        called = {0: number, 1: (number + 1) % count, 2: min(number + 1, count - 1), 3: 99}[kind]
        calls = [
            helper.make_node(f"f{called}", ["a"], ["b"], domain=domain) for _ in range(2 if kind == 2 else 1)
        ]
        body = calls if called != number or kind == 0 else [helper.make_node("Relu", ["a"], ["b"])]
        opset = [helper.make_opsetid("", random.choice((17, 99))), helper.make_opsetid(domain, 1)]
        model.functions.append(helper.make_function(domain, f"f{number}", ["a"], ["b"], body, opset))
    first = model.graph.node[0]
    caller = helper.make_node("f0", [*first.input[:1]], ["from_functions"], domain=domain)
    model.graph.node.insert(0, caller)
    model.opset_import.append(helper.make_opsetid(domain, 1))
    return written(file, model)


MUTATORS: tuple[tuple[float, Mutator], ...] = ((2, headers), (2, metadata), (3, external), (1, functions))
