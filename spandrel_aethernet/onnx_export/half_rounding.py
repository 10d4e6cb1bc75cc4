"""How this ONNX Runtime rounds FP16 values to int8."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def truncates_half() -> bool:
    """Tell whether QuantizeLinear drops the fraction of an FP16 value instead of rounding to nearest.

    Found in ONNX Runtime 1.17.1, which chaiNNer has: a file with FP16 scales loses quality there.
    """
    node = helper.make_node("QuantizeLinear", ["x", "scale"], ["y"])
    graph = helper.make_graph(
        [node],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [1])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1])],
        [helper.make_tensor("scale", TensorProto.FLOAT16, [], [1.0])],
    )
    opset = [helper.make_opsetid("", 19)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    library: Any = onnxruntime
    session = library.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return int(session.run(None, {"x": np.array([1.75], np.float16)})[0][0]) == 1
