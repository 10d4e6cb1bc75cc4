"""What an ONNX file tells of the engine that it will be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import AetherError, EngineError, OnnxError
from ..lint.linter import lint_model
from ..onnx_model.graph import LintGraph
from ..onnx_model.read import read_model
from .sidecar import file_sha256

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

    from ..onnx_model.metadata import Metadata

_TYPES: Mapping[int, str] = {1: "fp32", 10: "fp16", 16: "bf16"}
"""ONNX's numbers for float types."""
_PROBE = (1, None, 64, 48)
"""The sizes for which the scale is found, where the file leaves them open; not square, to tell axes apart."""


class Operator(NamedTuple):
    """One Conv, MatMul or Gemm."""

    name: str
    kind: str
    precision: str
    """`int8` if both its factors come through DequantizeLinear, else the type of what it makes."""
    made: str
    """`fp32`, `fp16`, `bf16`, or `unknown` where shape inference does not tell."""


@dataclass(frozen=True)
class OnnxSource:
    """A file with one input and one output, N x C x H x W."""

    path: Path
    sha256: str
    input_name: str
    output_name: str
    sizes: tuple[int | None, ...]
    """N, C, H, W; None where any size is taken."""
    channels: int
    dtype: str
    scale: int | None
    operators: tuple[Operator, ...]
    metadata: Metadata | None
    errors: tuple[str, ...]
    """What the linter refuses the file for: rule, node, reason and remedy. The rest is not looked at then."""
    warnings: int
    """How many findings cost INT8, speed or accuracy only."""

    @property
    def precision(self) -> str:
        """`fp32`, `fp16`, `fp32-int8` or `fp16-int8`."""
        return f"{self.dtype}-int8" if self.counts["int8"] else self.dtype

    @property
    def counts(self) -> Counter[str]:
        """How many operators are of each precision."""
        return Counter(operator.precision for operator in self.operators)

    @property
    def fp32_products(self) -> int:
        """How many matrix products make FP32, INT8 ones among them."""
        return sum(operator.kind != "Conv" and operator.made == "fp32" for operator in self.operators)

    @property
    def int8_convolutions(self) -> int:
        """How many convolutions are INT8."""
        return sum(operator.kind == "Conv" and operator.precision == "int8" for operator in self.operators)


def read_source(path: Path) -> OnnxSource:
    """Read and lint an ONNX file.

    Raises `OnnxError` for one that cannot be read, and `EngineError` for one that has not one image-like
    input and one output.
    """
    model = read_model(path)
    given, made = _ends(path, model)
    dims = given.type.tensor_type.shape.dim
    sizes = tuple(dim.dim_value if dim.dim_value > 0 else None for dim in dims)
    if len(sizes) != 4 or sizes[1] is None:
        shape = "x".join(str(size or "?") for size in sizes)
        raise EngineError(f"{path} takes {shape}: expected N x C x H x W with the number of channels fixed")
    dtype = _TYPES.get(given.type.tensor_type.elem_type)
    if dtype is None:
        raise EngineError(f"{path} takes no float images: expected {given.name} to be float32 or float16")
    metadata = _metadata(path)
    try:
        report = lint_model(model)
    except OnnxError as error:
        raise OnnxError(f"{path}: {error}") from error
    inferred = {} if report.errors else _inferred(model, given.name, sizes)
    return OnnxSource(
        path=path,
        sha256=file_sha256(path),
        input_name=given.name,
        output_name=made.name,
        sizes=sizes,
        channels=sizes[1],
        dtype=dtype,
        scale=metadata.scale if metadata else _scale(inferred.get(given.name), inferred.get(made.name)),
        operators=() if report.errors else _operators(model, inferred),
        metadata=metadata,
        errors=tuple(f"{one.rule} {one.node}: {one.message}; {one.remedy}" for one in report.errors),
        warnings=len(report.warnings),
    )


def _ends(path: Path, model: ModelProto) -> tuple[ValueInfoProto, ValueInfoProto]:
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in stored]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise EngineError(
            f"{path} has {len(inputs)} inputs and {len(model.graph.output)} outputs: expected one of each"
        )
    return inputs[0], model.graph.output[0]


def _metadata(path: Path) -> Metadata | None:
    """Return what this package wrote into a file; None, too, if another program damaged it."""
    from ..onnx_model.metadata import read_metadata

    try:
        return read_metadata(path)
    except OnnxError:
        raise
    except (AetherError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _inferred(model: ModelProto, name: str, sizes: tuple[int | None, ...]) -> dict[str, ValueInfoProto]:
    """Return type and shape of all tensors for an input of the sizes in `_PROBE`, as far as ONNX knows."""
    from onnx import ModelProto, shape_inference

    sized = ModelProto()
    sized.CopyFrom(model)
    del sized.graph.value_info[:]
    for entry in sized.graph.output:
        entry.type.tensor_type.ClearField("shape")
    given = next(entry for entry in sized.graph.input if entry.name == name)
    for dim, fixed, size in zip(given.type.tensor_type.shape.dim, sizes, _PROBE, strict=True):
        dim.dim_value = fixed or size or 0
    try:
        sized = shape_inference.infer_shapes(sized, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError):  # over 2 GB, or of unknown operators
        return {}
    return {entry.name: entry for part in _entries(sized) for entry in part}


def _entries(model: ModelProto) -> tuple[list[ValueInfoProto], ...]:
    return list(model.graph.input), list(model.graph.value_info), list(model.graph.output)


def _scale(given: ValueInfoProto | None, made: ValueInfoProto | None) -> int | None:
    if given is None or made is None:
        return None
    before, after = ([dim.dim_value for dim in end.type.tensor_type.shape.dim] for end in (given, made))
    if len(after) != 4 or not all(after):
        return None
    scale = after[2] // before[2]
    return scale if scale and after[2:] == [side * scale for side in before[2:]] else None


def _operators(model: ModelProto, inferred: Mapping[str, ValueInfoProto]) -> tuple[Operator, ...]:
    graph = LintGraph(model)
    operators: list[Operator] = []
    for product in graph.products:
        entry = inferred.get(product.node.outputs[0])
        made = _TYPES.get(entry.type.tensor_type.elem_type, "unknown") if entry else "unknown"
        precision = "int8" if graph.is_quantised(product) else made
        operators.append(Operator(product.node.name, product.node.op, precision, made))
    return tuple(operators)
