"""Rules for the file as a whole (ONX0xx)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..onnx_model.graph import OnnxGraph
from ..onnx_model.nodes import is_onnx_domain
from .rule import Rule, Violation

if TYPE_CHECKING:
    from onnx import ModelProto

_QDQ_OPSET, _AXIS_OPSET = 10, 13
"""The first opset that has QuantizeLinear, and the first in which it has an axis."""
_CHECKER_LIMIT = 2**31 - 1


def no_opset(graph: OnnxGraph) -> Iterator[Violation]:
    """The file says which opset its operators are of.

    ONNX's checker and ONNX Runtime refuse a file that does not. TensorRT for RTX builds it.
    """
    if graph.opset is None:
        yield Violation(graph.model.graph.name, "the file does not say which opset its operators are of")


def old_opset(graph: OnnxGraph) -> Iterator[Violation]:
    """The file has the opset that its Q/DQ nodes need: 10, or 13 for a list of scales or an axis.

    ONNX's checker and ONNX Runtime refuse a file of an older opset. TensorRT for RTX builds it.
    """
    for part in graph.qdq:
        needed = _AXIS_OPSET if part.per_channel or "axis" in part.node.attributes else _QDQ_OPSET
        if graph.opset is not None and graph.opset < needed:
            yield Violation(part.node.name, f"it needs opset {needed}, the file is of opset {graph.opset}")


def invalid(graph: OnnxGraph) -> Iterator[Violation]:
    """The file passes ONNX's own checker.

    ONNX Runtime refuses files that do not pass. TensorRT for RTX builds some of them. A file is not checked
    if its opset or IR version is newer than the checker, or if it is larger than 2 GB. Reported only where no
    other rule finds an error.
    """
    if said := checker_says(graph.model):
        yield Violation(graph.model.graph.name, f"ONNX's checker says: {said}")


def checker_says(model: ModelProto) -> str | None:
    """Return the first line of why ONNX's checker refuses a model, None if it does not."""
    from onnx import IR_VERSION, checker, shape_inference
    from onnx.defs import onnx_opset_version

    opset = max((use.version for use in model.opset_import if is_onnx_domain(use.domain)), default=0)
    if model.ir_version > IR_VERSION or opset > onnx_opset_version() or model.ByteSize() > _CHECKER_LIMIT:
        return None
    try:
        checker.check_model(model, full_check=True)
    except UnicodeDecodeError:  # raised for its own sentence, about a name that is no text
        return "a name is not text"
    except (checker.ValidationError, shape_inference.InferenceError, ValueError) as error:
        return next((line.strip() for line in str(error).splitlines() if line.strip()), "it is not valid")
    return None


RULES = (
    Rule("ONX001", "error", no_opset, "export it again with opset 17 or later"),
    Rule("ONX002", "error", old_opset, "export it again with opset 17 or later"),
)

LAST_RULE = Rule("ONX003", "error", invalid, "export it again, or have it exported again")
"""Only for files in which no other rule finds an error: those rules say more plainly what is wrong."""
