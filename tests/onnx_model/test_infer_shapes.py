"""Type and shape of every tensor for given sizes of the input."""

from __future__ import annotations

import numpy as np

from spandrel_aethernet.onnx_model.infer_shapes import TensorType, infer_shapes

from ..lint.draft import IN, OUT, Draft
from ..lint.graphs import convolution


def test_inputs_outputs_tensors_between_and_stored_ones_are_told() -> None:
    model = convolution()
    tensors = infer_shapes(model, (1, 1, 64, 48))
    assert tensors["input"] == TensorType("FLOAT", (1, IN, 64, 48))
    assert tensors[model.graph.output[0].name] == TensorType("FLOAT", (1, OUT, 64, 48))
    assert tensors["QuantizeLinear_0_out"] == TensorType("INT8", (1, IN, 64, 48))
    assert TensorType("INT8", (OUT, IN, 3, 3)) in tensors.values()


def test_the_last_size_is_for_all_axes_after_it() -> None:
    assert infer_shapes(convolution(), (2, 32))["input"].shape == (2, IN, 32, 32)


def test_sizes_that_the_model_fixes_stay_and_the_model_is_not_changed() -> None:
    model = convolution()
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 40
    before = model.SerializeToString()
    assert infer_shapes(model, (1, 1, 64, 48))["input"].shape == (1, IN, 40, 48)
    assert model.SerializeToString() == before


def test_stale_shapes_in_the_file_are_not_believed() -> None:
    model = convolution()
    model.graph.output[0].type.tensor_type.shape.dim[2].dim_value = 7
    tensors = infer_shapes(model, (1, 1, 64, 48))
    assert tensors[model.graph.output[0].name].shape == (1, OUT, 64, 48)


def test_a_shape_that_depends_on_values_is_not_known() -> None:
    draft = Draft()
    model = draft.model(draft.node("Compress", "input", draft.constant(np.ones(8, bool)), axis=1))
    assert infer_shapes(model, (1, 16))[model.graph.output[0].name].shape is None


def test_where_inference_fails_only_stored_tensors_are_told() -> None:
    model = convolution(opset=None)
    assert infer_shapes(model, (1, 16)).keys() == {tensor.name for tensor in model.graph.initializer}
