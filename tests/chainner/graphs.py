"""Graphs of chaiNNer nodes, built from what its backend says of them, as the JSON its `/run` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, TypeAlias
from uuid import uuid4

Json: TypeAlias = dict[str, Any]
Value: TypeAlias = "Output | str | float | PathLike[str] | None"

Options: TypeAlias = "Mapping[str, Json]"


@dataclass(frozen=True)
class Output:
    """One output of a node: `index` is its position, `id` what events call it."""

    node: str
    index: int
    id: int


@dataclass(frozen=True)
class Node:
    """A node of a graph: `id` is what events and errors name it by."""

    id: str
    schema: Json

    def out(self, output: str | int) -> Output:
        """Return an output by its label or id; KeyError if there is none, or several of that label."""
        index = position(self.schema, "outputs", output)
        return Output(self.id, index, self.schema["outputs"][index]["id"])


class Graph:
    """A graph under construction. `schemata` are the nodes by schema id, as `/nodes` describes them."""

    def __init__(self, schemata: Mapping[str, Json]) -> None:
        self.schemata = schemata
        self.nodes: list[Json] = []

    def add(self, schema_id: str, inputs: Mapping[str | int, Value] | None = None) -> Node:
        """Add a node and return it.

        `inputs` are values or outputs of earlier nodes, by the input's label or id. The others get their
        defaults, or null, as a node that was just dragged into chaiNNer's window. Raises KeyError for a node
        or an input that does not exist, and for a label that several inputs share.
        """
        if schema_id not in self.schemata:
            raise KeyError(f"chaiNNer has no node {schema_id}")
        schema = self.schemata[schema_id]
        given = {position(schema, "inputs", name): value for name, value in (inputs or {}).items()}
        values = [given.get(i, described.get("def")) for i, described in enumerate(schema["inputs"])]
        node = Node(str(uuid4()), schema)
        self.nodes.append(
            {
                "id": node.id,
                "schemaId": schema_id,
                "nodeType": schema["kind"],
                "inputs": [_input(value) for value in values],
            }
        )
        return node

    def request(self, options: Options) -> Json:
        """Return the body of `POST /run`; `options` are the settings of chaiNNer's packages by their ids."""
        return run_request(self.nodes, options)


def run_request(nodes: list[Json], options: Options) -> Json:
    """Return the body of `POST /run` for nodes as chaiNNer's frontend hands them over."""
    return {"data": nodes, "options": options, "sendBroadcastData": True, "useExperimentalFeatures": False}


def position(schema: Json, side: str, name: str | int) -> int:
    """Return where in `inputs` or `outputs` the one of that label or id stands."""
    key = "id" if isinstance(name, int) else "label"
    found = [i for i, described in enumerate(schema[side]) if described[key] == name]
    if len(found) != 1:
        known = ", ".join(f"{described['id']}: {described['label']}" for described in schema[side])
        raise KeyError(f"{schema['name']} has {len(found)} {side} {name!r}; its {side} are {known}")
    return found[0]


def _input(value: Value) -> Json:
    if isinstance(value, Output):
        return {"type": "edge", "id": value.node, "index": value.index}
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, PathLike):
        value = fspath(value)
    return {"type": "value", "value": value}
