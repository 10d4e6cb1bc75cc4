"""From whatever is given to the ONNX model that TensorRT gets, and what that tells of the engine."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..errors import ArgumentError, EngineError, Hint, OnnxError, missing_extras
from ..lint.linter import lint_onnx
from ..onnx_model.graph import OnnxGraph
from ..onnx_model.infer_shapes import TensorType, infer_shapes
from ..onnx_model.nodes import type_name
from ..onnx_model.read import MODEL_BYTES, read_onnx
from ..precision import FloatType, Precision
from ..progress import SILENT, Progress
from . import DEFAULT_PRECISION

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

    from ..model.checkpoint import Weights
    from ..model.source import NetworkInput
    from ..onnx_export.calibration import CalibrationImages
    from ..onnx_model.metadata import Metadata

    EngineInput: TypeAlias = NetworkInput | ModelProto
    """What an engine can be built from: a network or a checkpoint's path, an ONNX model or its path."""

_TYPES: Mapping[str, FloatType] = {"FLOAT": "fp32", "FLOAT16": "fp16", "BFLOAT16": "bf16"}
"""ONNX's names of float types."""
_PROBE = (1, 1, 64, 48)
"""The input for which the scale is found, where a model leaves sizes open; not square, to tell axes apart."""


class Operator(NamedTuple):
    """One Conv, MatMul or Gemm."""

    name: str
    kind: str
    precision: str
    """`int8` if both its factors come through DequantizeLinear, else the type of its output."""
    output: str
    """`fp32`, `fp16`, `bf16`, or `unknown` where shape inference does not tell."""


@dataclass(frozen=True)
class OnnxSource:
    """A model with one input and one output, N x C x H x W."""

    name: str
    """Of the file that was given, without its folder, or what a model or a network in memory is called."""
    sha256: str
    """Of the file that was given, or of what was given in memory."""
    path: Path | None
    """The ONNX file that was given; None for a model in memory and for one that was exported on the way."""
    model: ModelProto = field(repr=False, compare=False)
    input_name: str
    output_name: str
    sizes: tuple[int | None, ...]
    """N, C, H, W; None where any size is taken."""
    channels: int
    dtype: FloatType
    scale: int | None
    operators: tuple[Operator, ...]
    metadata: Metadata | None
    errors: tuple[str, ...]
    """What the linter refuses it for: rule, node, reason and remedy. The rest is not looked at then."""
    warnings: int
    """How many findings cost INT8, speed or accuracy only."""

    @property
    def precision(self) -> Precision:
        """The type of its input, and whether any operator is INT8."""
        return Precision(self.dtype, bool(self.counts["int8"]))

    @property
    def body(self) -> Precision:
        """The type it computes in, which casts may hide from input and output, and whether any is INT8."""
        half = any(operator.output == "fp16" for operator in self.operators)
        return Precision("fp16" if half else self.dtype, self.precision.int8)

    @property
    def counts(self) -> Counter[str]:
        """How many operators are of each precision."""
        return Counter(operator.precision for operator in self.operators)

    @property
    def fp32_products(self) -> int:
        """How many matrix products put out FP32, INT8 ones among them."""
        return sum(operator.kind != "Conv" and operator.output == "fp32" for operator in self.operators)

    @property
    def int8_convolutions(self) -> int:
        """How many convolutions are INT8."""
        return sum(operator.kind == "Conv" and operator.precision == "int8" for operator in self.operators)


@missing_extras()
def open_source(
    given: EngineInput,
    *,
    name: str | None = None,
    default_name: str = "model.onnx",
    precision: str | Precision | None = None,
    weights: Weights = "grid",
    calibration: Path | CalibrationImages | None = None,
    verified: bool = True,
    progress: Progress = SILENT,
) -> OnnxSource:
    """Read and lint an ONNX model or its file, once, or what a network or a checkpoint is exported as.

    `name` is for what is in memory, `default_name` for models only. The rest is for networks and checkpoints:
    see `export_network`. Raises what that raises, `ArgumentError` for such an argument beside an ONNX model,
    `OnnxError` for a file that cannot be read, and `EngineError` for any that is not named like a
    model, or has not one image-like input and one output.
    """
    from onnx import ModelProto

    exporting = {"precision": precision, "weights": weights, "calibration": calibration}
    used = [argument for argument, value in exporting.items() if value not in (None, "grid")]
    if isinstance(given, ModelProto):
        _check_unused(name or default_name, used)
        return _from_memory(given, name or default_name)
    if isinstance(given, str | Path):
        path = Path(given)
        if path.suffix.lower() == ".onnx":
            _check_unused(path, used)
            file = read_onnx(path)
            digest = hashlib.sha256(file.content).hexdigest()
            return read_source(file.model, path.name, digest, path=path)
        _check_suffix(path)
    wanted = DEFAULT_PRECISION if precision is None else Precision.parse(precision)
    from ..model.source import as_source
    from ..onnx_export.export import export_network

    source = as_source(given, weights=weights, name=name)
    exported = export_network(
        source,
        precision=wanted,
        preset="tensorrt" if wanted.int8 else None,
        calibration=calibration,
        verified=verified,
        weights=weights,
        progress=progress,
    )
    return read_source(exported.model, source.name, source.sha256)


def _check_unused(label: object, arguments: Sequence[str]) -> None:
    if arguments:
        raise ArgumentError(f"{label} is no checkpoint", Hint(f"leave {{{arguments[0]}}} out"))


def _check_suffix(path: Path) -> None:
    from ..model.io import SUFFIXES

    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join((".onnx", *SUFFIXES))
        raise EngineError(f"{path} is not named like an ONNX file or a checkpoint: expected {known}")


def _from_memory(model: ModelProto, name: str) -> OnnxSource:
    if model.ByteSize() > MODEL_BYTES:
        raise EngineError(f"{name} is larger than 2 GB: save it with external data and give the file's path")
    return read_source(model, name, hashlib.sha256(model.SerializeToString()).hexdigest())


def read_source(model: ModelProto, name: str, sha256: str, *, path: Path | None = None) -> OnnxSource:
    """Lint a model, which is not changed, and find out what an engine needs to know of it.

    Raises `OnnxError` for a damaged one, and `EngineError` for one that has not one image-like input and
    one output.
    """
    label = path or name
    entry, output = _input_and_output(model, label)
    dims = entry.type.tensor_type.shape.dim
    sizes = tuple(dim.dim_value if dim.dim_value > 0 else None for dim in dims)
    if len(sizes) != 4 or sizes[1] is None:
        shape = "x".join(str(size or "?") for size in sizes)
        raise EngineError(f"{label} takes {shape}: expected N x C x H x W with the number of channels fixed")
    dtype = _TYPES.get(type_name(entry.type.tensor_type.elem_type))
    if dtype is None:
        raise EngineError(f"{label} takes no float images: expected {entry.name} to be float32 or float16")
    metadata = _metadata(model)
    try:
        report = lint_onnx(model)
    except OnnxError as error:
        raise OnnxError(f"{label}: {error.message.sentence}", error.message.hint) from error
    inferred: Mapping[str, TensorType] = {} if report.errors else infer_shapes(model, _PROBE)
    return OnnxSource(
        name=name,
        sha256=sha256,
        path=path,
        model=model,
        input_name=entry.name,
        output_name=output.name,
        sizes=sizes,
        channels=sizes[1],
        dtype=dtype,
        scale=metadata.scale if metadata else _scale(inferred.get(entry.name), inferred.get(output.name)),
        operators=() if report.errors else _operators(model, inferred),
        metadata=metadata,
        errors=tuple(f"{one.rule} {one.node}: {one.message}; {one.remedy}" for one in report.errors),
        warnings=len(report.warnings),
    )


def _input_and_output(model: ModelProto, label: object) -> tuple[ValueInfoProto, ValueInfoProto]:
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in stored]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise EngineError(
            f"{label} has {len(inputs)} inputs and {len(model.graph.output)} outputs: expected one of each"
        )
    return inputs[0], model.graph.output[0]


def _metadata(model: ModelProto) -> Metadata | None:
    """Return what this package wrote into a model; None, too, if another program damaged it."""
    from ..onnx_model.metadata import read_metadata

    try:
        return read_metadata(model)
    except OnnxError:
        return None


def _scale(entry: TensorType | None, output: TensorType | None) -> int | None:
    before, after = (one.shape if one else None for one in (entry, output))
    if not before or not after or len(after) != 4:
        return None
    scale = after[2] // before[2]
    return scale if scale and after[2:] == tuple(side * scale for side in before[2:]) else None


def _operators(model: ModelProto, inferred: Mapping[str, TensorType]) -> tuple[Operator, ...]:
    graph = OnnxGraph(model)
    operators: list[Operator] = []
    for product in graph.products:
        found = inferred.get(product.node.outputs[0])
        output = _TYPES.get(found.type, "unknown") if found else "unknown"
        precision = "int8" if graph.is_quantized(product) else output
        operators.append(Operator(product.node.name, product.node.op, precision, output))
    return tuple(operators)
