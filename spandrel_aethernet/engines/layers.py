"""Which of an engine's layers compute in which type, by TensorRT's own list of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

_LINE = re.compile(
    r"^Name: (?P<name>.*?), LayerType: (?P<kind>\w+), Inputs: (?P<inputs>.*?), (?:Constants|Outputs): .*?"
    r"(?:Metadata: (?P<metadata>.*))?$",
    re.MULTILINE,
)
_DATATYPE = re.compile(r"Datatype: (.*?)(?:, Format:| \}|\])")
_ONNX_NAME = re.compile(r"\[ONNX Layer: ([^\]]*)\]")
_TYPES = {
    "int8": re.compile(r"int8", re.IGNORECASE),
    "fp16": re.compile(r"half|fp16", re.IGNORECASE),
    "fp32": re.compile(r"float|fp32", re.IGNORECASE),
}
_MEMORY = ("allocate", "deallocate", "shape_call", "signal", "wait", "NoOp")
_POINTWISE = ("kgen", "PointWise", "PointWiseV2", "Reformat", "Shuffle", "Scale", "Quantize", "Dequantize")
"""Kinds that never hold a convolution or a matrix product, though they name those they prepare values for."""


@dataclass(frozen=True)
class Layer:
    """One layer of an engine."""

    kind: str
    precision: str | None
    """`int8`, `fp16` or `fp32`: the type of its first input; None if it has none of these."""
    onnx_names: frozenset[str]
    """The ONNX nodes that it computes."""


@dataclass(frozen=True)
class LayerReport:
    """What an engine's layers compute in."""

    counts: Counter[str]
    fell_back: tuple[str, ...]
    """Those of the quantized operators that no layer computes in INT8."""


def report_layers(text: str, quantized: Collection[str]) -> LayerReport | None:
    """Count layers by precision and find the operators, named in `quantized`, that became float.

    `text` is what the engine inspector gives as JSON, or what the builder logs. None if it lists nothing.
    """
    layers = read_layers(text)
    if not layers:
        return None
    computing = [layer for layer in layers if layer.kind not in _MEMORY and layer.precision]
    products = [layer for layer in computing if layer.kind not in _POINTWISE]
    in_int8 = {name for layer in products if layer.precision == "int8" for name in layer.onnx_names}
    named = {name for layer in products for name in layer.onnx_names}
    fell_back = tuple(name for name in quantized if name in named and name not in in_int8)
    return LayerReport(Counter(str(layer.precision) for layer in computing), fell_back)


def read_layers(text: str) -> list[Layer]:
    """Read either form; empty for a list without details, as engines built without them have."""
    return list(_from_json(text) if text.lstrip().startswith("{") else _from_log(text))


def _from_log(text: str) -> Iterator[Layer]:
    """Read the builder's list, one line a layer, as TensorRT for RTX 1.7 writes it."""
    for line in _LINE.finditer(text):
        types = _DATATYPE.findall(line["inputs"])
        yield Layer(line["kind"], _precision(types), _names(line["metadata"] or ""))


def _from_json(text: str) -> Iterator[Layer]:
    """Read the engine inspector's JSON with details.

    Its form is the one in docs.nvidia.com/deeplearning/tensorrt, inference-library/engine-tools: `Layers`,
    each with `LayerType`, `Inputs` whose `Format/Datatype` (`Datatype` in newer versions) is a type or a
    sentence such as `Row major linear FP16 format`, and `Metadata` with the ONNX names.
    """
    layers: list[dict[str, Any] | str] = json.loads(text).get("Layers", [])
    for layer in layers:
        if not isinstance(layer, str):  # else a name only: the engine was built without details
            inputs = layer.get("Inputs", [])
            types = [str(tensor.get("Datatype") or tensor.get("Format/Datatype")) for tensor in inputs]
            yield Layer(str(layer.get("LayerType")), _precision(types), _names(str(layer.get("Metadata"))))


def _precision(types: list[str]) -> str | None:
    first = types[0] if types else ""
    return next((name for name, pattern in _TYPES.items() if pattern.search(first)), None)


def _names(metadata: str) -> frozenset[str]:
    return frozenset(_ONNX_NAME.findall(metadata))
