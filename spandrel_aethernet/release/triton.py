"""A model repository for NVIDIA Triton: one ONNX file of a release, and what Triton must know of it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto, ValueInfoProto

from ..onnx_export.export import Exported
from ..onnx_model.nodes import type_name
from ..precision import Precision

FOLDER = "triton"
CONFIG = "config.pbtxt"
SERVED = Precision("fp16")
"""Of the file that is served: Triton is run on GPUs, and so is FP16."""
_TYPES = {"FLOAT": "TYPE_FP32", "FLOAT16": "TYPE_FP16"}

# github.com/triton-inference-server: server, docs/user_guide/model_configuration.md; onnxruntime_backend,
# src/onnxruntime.cc. 1 is HEURISTIC: by default cuDNN tries all its algorithms for each size of image.
_CONFIG = """name: "{name}"
backend: "onnxruntime"
default_model_filename: "model.onnx"
max_batch_size: {max_batch_size}
input [
  {{
    name: "{input.name}"
    data_type: {input.type}
    dims: [ {input.dims} ]
  }}
]
output [
  {{
    name: "{output.name}"
    data_type: {output.type}
    dims: [ {output.dims} ]
  }}
]
instance_group [
  {{
    kind: KIND_AUTO
    count: 1
  }}
]
{batching}parameters {{
  key: "cudnn_conv_algo_search"
  value: {{ string_value: "1" }}
}}
"""


@dataclass(frozen=True)
class TritonModel:
    """What a model repository serves."""

    name: str
    """Of the model and its folder: that of the ONNX file without its suffix."""
    file: str
    """The ONNX file of the release that it is."""
    max_batch_size: int
    """Images that are run at once at most; 0 if the file fixes how many there are."""


@dataclass(frozen=True)
class _Tensor:
    name: str
    type: str
    dims: str


def write_repository(folder: Path, onnx: Path, exported: Exported) -> TritonModel:
    """Make `FOLDER` in a release's folder for `onnx`, the file that `exported` was written as.

    The model is the same file under another name where the disk can do that, else a copy. Raises OSError.
    """
    name = onnx.stem
    place = folder / FOLDER / name
    (place / "1").mkdir(parents=True)
    served = place / "1" / "model.onnx"
    try:
        os.link(onnx, served)
    except OSError:  # not every file system has links, nor every system for every user
        shutil.copyfile(onnx, served)
    most = exported.report.metadata.profile.batch.max
    text = config(exported.model, name, max_batch=most)
    (place / CONFIG).write_text(text, encoding="utf-8", newline="\n")
    return TritonModel(name, onnx.name, most if _open_batch(exported.model) else 0)


def config(model: ModelProto, name: str, *, max_batch: int) -> str:
    """Return the configuration of a model with one input and one output, N x C x H x W, float32 or float16.

    Where N is open, Triton puts that axis in front of the dimensions itself, gathers requests of one size
    into batches of up to `max_batch`, and takes no other batch; else N is among the dimensions. Open axes are
    -1.
    """
    batched = _open_batch(model)
    given, result = (_tensor(entry, batched) for entry in (model.graph.input[0], model.graph.output[0]))
    return _CONFIG.format(
        name=name,
        max_batch_size=max_batch if batched else 0,
        input=given,
        output=result,
        batching="dynamic_batching { }\n" if batched else "",
    )


def _open_batch(model: ModelProto) -> bool:
    return not model.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value")


def _tensor(entry: ValueInfoProto, batched: bool) -> _Tensor:
    tensor = entry.type.tensor_type
    sizes = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim]
    return _Tensor(entry.name, _TYPES[type_name(tensor.elem_type)], ", ".join(map(str, sizes[batched:])))
