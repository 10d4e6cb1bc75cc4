"""How much of a graph's arithmetic is counted as INT8."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from spandrel_aethernet.lint.linter import lint_onnx

from .draft import OUT, Draft
from .graphs import convolution, depthwise, feed_forward, gemm, product


def test_coverage_of_each_kind_is_in_multiply_adds() -> None:
    area = 256 * 256
    both = lint_onnx(feed_forward()).coverage
    assert both.by_kind["Conv"].multiply_adds == area * 8 * 8 * 9
    assert (
        both.by_kind["MatMul"].multiply_adds
        == both.by_kind["MatMul"].int8_multiply_adds
        == 2 * area * 8 * OUT
    )
    assert both.by_kind["MatMul"].int8_operators == 2
    assert both.total.ratio == 1
    assert lint_onnx(depthwise()).coverage.by_kind["depthwise Conv"].multiply_adds == area * 8 * 9
    assert lint_onnx(gemm(0, transposed=True)).coverage.by_kind["Gemm"].multiply_adds == 8 * OUT
    assert lint_onnx(product(0, left=True)).coverage.total.multiply_adds == OUT * 64 * (area * 8 // 64)


def test_coverage_weighs_operators_by_their_work() -> None:
    draft = Draft()
    small = draft.conv(draft.qdq("input"), draft.weight((8, 8, 3, 3)))
    share = lint_onnx(draft.model(draft.conv(small, draft.floats(24, 8, 3, 3)))).coverage.total
    assert (share.operators, share.int8_operators) == (2, 1)
    assert share.ratio == 0.25


def test_coverage_says_what_it_could_not_count() -> None:
    draft = Draft()
    wild = draft.node("Compress", "input", draft.constant(np.ones(8, bool)), axis=1)
    wild = draft.node("NonZero", draft.node("Cast", wild, to=TensorProto.INT64))
    made = draft.node("MatMul", draft.node("Cast", wild, to=TensorProto.FLOAT), draft.floats(4, 4))
    coverage = lint_onnx(draft.model(made)).coverage
    assert coverage.unknown == ("MatMul_4",)
    assert coverage.total.ratio is None


def test_the_shape_a_file_fixes_is_counted_as_it_is() -> None:
    model = convolution()
    for axis, size in ((0, 2), (2, 32), (3, 48)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = size
    assert lint_onnx(model).coverage.total.multiply_adds == 2 * 32 * 48 * OUT * 8 * 9
