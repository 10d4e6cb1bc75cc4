"""Reading TensorRT's list of an engine's layers, in both forms it has."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from spandrel_aethernet.engines.layers import Layer, read_layers, report_layers
from spandrel_aethernet.engines.process import run_job
from spandrel_aethernet.engines.worker import BuildJob
from spandrel_aethernet.shapes import Profile

from .networks import upscaler

ROW_MAJOR = "Row major linear {} format"


def entry(kind: str, inputs: list[str], names: list[str], key: str = "Format/Datatype") -> dict[str, object]:
    return {
        "Name": " + ".join(names),
        "LayerType": kind,
        "Inputs": [
            {"Name": "x", "Location": "Device", "Dimensions": [16, 96, 28, 28], key: one} for one in inputs
        ],
        "Outputs": [{"Name": "y", "Location": "Device", "Dimensions": [16, 96, 28, 28], key: "Half"}],
        "TacticName": "sm80_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc_nhwc",
        "Metadata": "\x1e".join(f"[ONNX Layer: {name}]" for name in names),
    }


def test_the_inspectors_json_as_it_is_documented() -> None:
    text = json.dumps(
        {
            "Layers": [
                entry("Reformat", [ROW_MAJOR.format("FP32")], []),
                entry(
                    "CaskConvolution",
                    ["Thirty-two wide channel vectorized row major Int8 format."],
                    ["a", "b"],
                ),
                entry("gemm", ["Half", "Half"], ["c"]),
                entry("gemm", ["Int8"], ["d"], key="Datatype"),
                entry("PointWiseV2", ["Int8"], ["c"]),
                entry("CaskConvolution", [ROW_MAJOR.format("FP16")], ["e"]),
                entry("NoOp", ["Int8"], []),
                entry("ShapeHostToDevice", ["Int32"], []),
            ],
            "Bindings": ["input", "output"],
        }
    )
    report = report_layers(text, ["a", "c", "d", "gone"])
    assert report is not None
    assert report.counts == Counter({"int8": 3, "fp16": 2, "fp32": 1})
    assert report.fell_back == ("c",), "what no layer names is not known to have fallen back"


def test_a_list_of_names_only_tells_nothing() -> None:
    names = json.dumps({"Layers": ["conv_1 + relu_1", "gemm_2"], "Bindings": ["input"]})
    assert report_layers(names, ["conv_1"]) is None
    assert report_layers("Layers:\nconv_1 + relu_1\n", ["conv_1"]) is None
    assert report_layers("", []) is None


@pytest.mark.parametrize(("target", "inspect"), [("7.5", False), ("8.6", True)])
def test_the_list_that_tensorrt_for_rtx_makes(target: str, inspect: bool, tmp_path: Path) -> None:
    """It logs one while it builds; the inspector's is taken where a GPU can run the engine."""
    pytest.importorskip("tensorrt_rtx")
    job = BuildJob(
        runtime="rtx",
        onnx=str(upscaler(tmp_path / "small.onnx", np.float16, int8=True)),
        engine=str(tmp_path / "small.engine"),
        input_name="input",
        shapes=Profile().shapes(3),
        targets=[target],
        workspace=None,
        optimization_level=None,
        timing_cache=None,
        inspect=inspect,
        verbose=False,
    )
    layers = read_layers(run_job(job, None, lambda _event: None, title="TensorRT", name="small"))
    (product,) = [layer for layer in layers if layer.kind == "correlation"]
    assert product.precision == {"7.5": "fp16", "8.6": "int8"}[target]
    assert {"convolution", "dequantize", "weights"} >= product.onnx_names >= {"convolution"}
    assert Layer("shape_call", None, frozenset()) in layers
    assert {layer.kind for layer in layers} >= {"kgen", "correlation"}
