"""chaiNNer's own TypeScript, run by Node: what its window makes of nodes and of graph files."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..graphs import Json, position


@dataclass(frozen=True)
class Question:
    """One node: `types` connected, in chaiNNer's language, and `values` chosen, by the input's label."""

    schema_id: str
    types: Mapping[str, str] = field(default_factory=dict[str, str])
    values: Mapping[str, str | float] = field(default_factory=dict[str, str | float])


@dataclass(frozen=True)
class Answer:
    """A node in the window: types of outputs by label, labels of the inputs shown, what it finds wrong."""

    outputs: Mapping[str, str]
    shown: set[str]
    problem: str | None


@dataclass(frozen=True)
class OpenedGraph:
    """A graph file as the app opens it.

    `unknown`, `deprecated` and `unconnected` (not run) list schema ids; `invalid` has id, name and reason of
    nodes that cannot run; `nodes` is what goes to the backend.
    """

    tampered: bool
    unknown: list[str]
    deprecated: list[str]
    unconnected: list[str]
    invalid: list[Mapping[str, str]]
    nodes: list[Json]


class Frontend:
    """Runs the scripts of this folder on the checkout `source`; `modules` has the node_modules they need."""

    def __init__(self, source: Path, modules: Path) -> None:
        self.source, self.modules = source, modules

    def missing(self) -> str | None:
        """Return what has to be installed first, None if all is there."""
        if shutil.which("node") is None:
            return "node is not on PATH"
        for name in ("esbuild", "@chainner/navi"):
            if not (self.modules / "node_modules" / name).is_dir():
                return (
                    f"no node_modules/{name} in {self.modules}: set CHAINNER_NODE_MODULES to a folder with it"
                )
        return None

    def errors(self, description: Json) -> list[str]:
        """Return what the window finds wrong with the answer to `/nodes`; any of it hides all nodes."""
        return self._ask("types.mts", {"description": description})

    def answers(self, description: Json, *questions: Question) -> list[Answer]:
        """Return what the window shows of nodes. Raises AssertionError if `/nodes` has errors."""
        schemata = {node["schemaId"]: node for node in description["nodes"]}
        nodes = [schemata[question.schema_id] for question in questions]
        asked = [_in_ids(node, question) for node, question in zip(nodes, questions, strict=True)]
        answered = self._ask("types.mts", {"description": description, "questions": asked})
        return [_in_labels(node, answer) for node, answer in zip(nodes, answered, strict=True)]

    def open(self, description: Json, file: Path, values: Mapping[str, Json] | None = None) -> OpenedGraph:
        """Open a graph file as the app does, after it was given `values`.

        They are by a node's id or its schema id, then by an input's label or id in text.
        """
        question = {"description": description, "file": str(file), "values": values or {}}
        return OpenedGraph(**self._ask("graph.mts", question))

    def _ask(self, script: str, question: Json) -> Any:
        runner = Path(__file__).with_name("run.mjs")
        result = subprocess.run(
            ["node", str(runner), str(self.source), str(self.modules), script],  # noqa: S607
            input=json.dumps(question, default=str),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


def _in_ids(node: Json, question: Question) -> Json:
    def by_id(inputs: Mapping[str, str | float]) -> Json:
        return {node["inputs"][position(node, "inputs", label)]["id"]: it for label, it in inputs.items()}

    return {"schemaId": question.schema_id, "types": by_id(question.types), "values": by_id(question.values)}


def _in_labels(node: Json, answer: Json) -> Answer:
    outputs = {output["label"]: answer["outputs"][str(output["id"])] for output in node["outputs"]}
    shown = {given["label"] for given in node["inputs"] if given["id"] in answer["shown"]}
    return Answer(outputs, shown, answer["problem"])
